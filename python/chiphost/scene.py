# SPDX-License-Identifier: Apache-2.0
"""Scenes: kernels, an orchestration, inputs, the expected result and a configuration, in one folder.

    <root>/<runtime>/<scene>/scene.py     defines `scene = Scene(...)`

A scene says what to run and what must come out. Other code runs it:

    scene = Scene.load(folder)
    before = scene.make_args("default", seed=0)
    after = copy_args(before)
    ...run each of scene.programs on the values of `after` that its signature names...
    scene.check("default", before, after)
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import numbers
import os
import sys
import traceback
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import ml_dtypes  # noqa: F401 - gives NumPy the names "bfloat16", "float8_e4m3fn", ...
import numpy as np
import numpy.typing as npt

from ._runtimes import runtimes
from ._text.printable import one_line
from ._text.suggestion import did_you_mean
from .call_config import FIELDS
from .callable import DEFAULT_ENTRY, repeated_func_ids
from .chip import Chip
from .compiler import Job, Kernel
from .errors import ChiphostError, CompileError, make_error
from .signature import Arg

Array = npt.NDArray[Any]
# Arguments by name, in the order of the signature: arrays, and a number for each scalar.
Args = dict[str, Any]
InputsFunction = Callable[[Mapping[str, Any], np.random.Generator], Mapping[str, Any]]
GoldenFunction = Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]]

# The fields that a scene may configure, with their lowest values. The worker knows the highest, which depend on the
# chip.
CONFIG_MIN: Final[Mapping[str, int]] = {name: field.least for name, field in FIELDS.items() if field.user == "graph"}

# The things that a scene may need of a chip, in words, each with the field of the configuration that asks for it.
_NEEDS: Final = {
    "clusters": "clusters",
    "aicpu_threads": "AICPU threads",
    "memory_bytes": "bytes of device memory",
}
_FIELD_OF_NEED: Final = {"clusters": "block_dim", "aicpu_threads": "aicpu_thread_num"}

SCENE_FILE: Final = "scene.py"

_SHOWN_DIFFERENCES: Final = 4


@dataclasses.dataclass(frozen=True)
class Program:
    """An orchestration with its kernels: one of several that a scene runs in turn.

    Attributes:
        orchestration: its source; absolute once the scene is loaded.
        entry: name of its function.
        kernels: its kernels; absolute paths once loaded.
        signature: its arguments: some of the scene's, by their names, and what this program does with them.
        include_dirs, defines, flags: for compiling the orchestration; a kernel has its own.
        has_signature: whether a run is checked against `signature`. If not, every array goes in and comes out.
    """

    orchestration: str | Path
    entry: str
    kernels: Sequence[Kernel]
    signature: Sequence[Arg]
    include_dirs: Sequence[Path] = ()
    defines: Sequence[str] = ()
    flags: Sequence[str] = ()
    has_signature: bool = True


class Scene:
    """One scene. `load` gives it its place; until then `name`, `runtime`, `file` and `folder` are empty.

    Attributes:
        name: "<runtime>/<scene>", from the folders.
        runtime: the runtime it is for.
        file: its scene.py.
        folder: the folder of that file.
        description: one line.
        programs: what it runs, one after the other; paths are absolute once loaded.
        signature: the arguments: of the one program, or of all together.
        config: fields of the run's configuration that differ from the defaults. With `needs` it is a wish: of a smaller
            chip, a run gets what that has.
        cases: parameters of each case by the case's name.
        case_config: further fields of the configuration, by the case's name.
        case_platforms: where a case runs, if not wherever the scene does, by the case's name.
        default_case: the case to run when none is named.
        rtol, atol: an output is right if `|got - want| <= atol + rtol * |want|`.
        needs: the least of a chip that will do: "clusters", "aicpu_threads", "memory_bytes". What it does not name, of
            the first two, is as much as the configuration asks for.
        platforms: where the scene runs; None: wherever there is what it needs. The simulated chip of a family stands
            for all platforms of that family.
        rounds: how many times a test runs it on one worker, with fresh outputs each time.
    """

    def __init__(
        self,
        *,
        like: Scene | None = None,
        description: str | None = None,
        orchestration: str | Path | None = None,
        entry: str | None = None,
        kernels: Sequence[Kernel] = (),
        programs: Sequence[Program] = (),
        signature: Sequence[Arg] | None = None,
        config: Mapping[str, int] | None = None,
        cases: Mapping[str, Mapping[str, Any]] | None = None,
        case_config: Mapping[str, Mapping[str, int]] | None = None,
        case_platforms: Mapping[str, Sequence[str]] | None = None,
        default_case: str | None = None,
        rtol: float | None = None,
        atol: float | None = None,
        needs: Mapping[str, int] | None = None,
        platforms: Sequence[str] | None = None,
        rounds: int | None = None,
    ) -> None:
        """Describe a scene. Paths are relative to its folder. Nothing is checked before `load`.

        What it runs is either one `orchestration` with its `entry` and `kernels`, or `programs`. The `entry` is
        "build_graph" if None, as for `compile`; `rtol` and `atol` are 1e-5, `rounds` is 1, `default_case` is "default".

        Args:
            like: another scene, loaded: whatever this one does not give is taken from it, and so are `inputs` and
                `golden` until this one has its own. The rest are the attributes.
        """

        def chosen(field: str, own: Any, otherwise: Any) -> Any:
            if own is not None:
                return own
            return otherwise if like is None else getattr(like, field)

        self.name = ""
        self.runtime = ""
        self.file = Path()
        self.folder = Path()
        self.description: str = chosen("description", description, "")
        self.signature = tuple(chosen("signature", signature, ()))
        self._has_both = bool(programs) and (orchestration is not None or bool(entry) or bool(kernels))
        self.programs = tuple(programs)
        if like is not None and not programs:
            if len(like.programs) == 1:
                [theirs] = like.programs
                orchestration = orchestration or theirs.orchestration
                entry = entry or theirs.entry
                kernels = kernels or theirs.kernels
            elif orchestration is None and not entry and not kernels:
                self.programs = like.programs
        if not self.programs:
            self.programs = (Program(orchestration or "", entry or DEFAULT_ENTRY, kernels, self.signature),)
        self.config = dict(chosen("config", config, {}))
        self.default_case: str = chosen("default_case", default_case, "default")
        cases = chosen("cases", cases, None) or {self.default_case: {}}
        self.cases = {name: types.MappingProxyType(dict(case)) for name, case in cases.items()}
        self.case_config = {name: dict(fields) for name, fields in chosen("case_config", case_config, {}).items()}
        self.case_platforms = {
            name: tuple(names) for name, names in chosen("case_platforms", case_platforms, {}).items()
        }
        self.rtol: float = chosen("rtol", rtol, 1e-5)
        self.atol: float = chosen("atol", atol, 1e-5)
        self.needs = dict(chosen("needs", needs, {}))
        platforms = chosen("platforms", platforms, None)
        self.platforms = None if platforms is None else tuple(platforms)
        self.rounds: int = chosen("rounds", rounds, 1)
        self._inputs: InputsFunction | None = None if like is None else like._inputs
        self._golden: GoldenFunction | None = None if like is None else like._golden
        self._files_before: tuple[Path, ...] = () if like is None else (like.file, *like._files_before)

    def inputs(self, function: InputsFunction) -> InputsFunction:
        """Decorate the function (case, rng) that returns every argument by name, outputs too."""
        self._inputs = function
        return function

    def golden(self, function: GoldenFunction) -> GoldenFunction:
        """Decorate the function (args, case) that returns the expected outputs by name.

        It sees what the run reads: scalars, "in" and "inout" arrays as they were before the run, floats as float64. It
        returns float64, or integers, which are compared exactly.
        """
        self._golden = function
        return function

    @classmethod
    def load(cls, folder: str | Path) -> Scene:
        """Import the scene.py of a folder and check its description.

        Raises:
            SceneError: SCENE_UNKNOWN if there is no such file, SCENE_INVALID if it does not describe a scene.
        """
        file = _absolute(folder) / SCENE_FILE
        if not file.is_file():
            raise make_error("SCENE_UNKNOWN", "there is no scene.py in this folder", str(file.parent))
        scene = getattr(import_file(file), "scene", None)
        if not isinstance(scene, cls):
            raise make_error("SCENE_INVALID", "the file must define `scene = Scene(...)`", str(file))
        scene.bind(file)
        return scene

    @staticmethod
    def discover(root: str | Path) -> list[tuple[str, Path]]:
        """(name, folder) of every scene below a root, sorted by name. Imports none of them.

        Raises:
            SceneError: SCENE_UNKNOWN if the root is no folder.
        """
        root = _absolute(root)
        if not root.is_dir():
            raise make_error("SCENE_UNKNOWN", "there is no such folder of scenes", str(root))
        folders = (file.parent for file in root.glob(f"*/*/{SCENE_FILE}"))
        return sorted((f"{folder.parent.name}/{folder.name}", folder) for folder in folders)

    def bind(self, file: Path) -> None:
        """Give the scene its place and check its description. `load` does this; call it for scenes made otherwise.

        Args:
            file: absolute path of the file that describes the scene, in the scene's folder.
        """
        self.file = file
        self.folder = file.parent
        self.runtime = self.folder.parent.name
        self.name = f"{self.runtime}/{self.folder.name}"
        self._check_programs()
        self._check_signature()
        self._check_settings()

    @property
    def usual_cases(self) -> list[str]:
        """The cases that run where none are named."""
        return list(self.cases)

    def case(self, name: str) -> Mapping[str, Any]:
        """Parameters of a case. Raises SceneError SCENE_UNKNOWN."""
        if name not in self.cases:
            message = f"there is no case {name!r}; there are {_join(self.cases)}"
            raise make_error("SCENE_UNKNOWN", message, self.name, guess=did_you_mean(name, self.cases))
        return self.cases[name]

    def not_for(self, platform: str, case: str | None = None) -> str:
        """Why the scene, or one of its cases, is not for a platform; empty if it is. `shortage` looks at the chip."""
        names = self.platforms if case is None else self.case_platforms.get(case, self.platforms)
        if names is None or runtimes.runs_on(platform, names):
            return ""
        return f"is for {', '.join(names)}, not for {platform}"

    def shortage(self, case: str, platform: str, chip: Chip | None) -> str:
        """The resource of which a platform's chip has too little for a case; empty if none, or if it does not say."""
        if chip is None:
            return ""
        config = self.config_of(case)
        least = {need: config[field] for need, field in _FIELD_OF_NEED.items() if field in config} | self.needs
        return "; ".join(
            f"needs {wanted} {_NEEDS[need]}, {platform} has {found}"
            for need, wanted in least.items()
            if (found := getattr(chip, need)) < wanted
        )

    def config_of(self, case: str, chip: Chip | None = None) -> dict[str, int]:
        """The fields of the configuration that a case sets; on a smaller chip the chip's values, if they will do."""
        config = {**self.config, **self.case_config.get(case, {})}
        for need, field in _FIELD_OF_NEED.items():
            if chip is not None and need in self.needs and field in config:
                config[field] = min(config[field], getattr(chip, need))
        return config

    def make_args(self, case: str | None = None, seed: int = 0) -> Args:
        """All arguments of a case, in the order of the signature. Equal seeds give equal arguments."""
        case = self.default_case if case is None else case
        parameters = self.case(case)
        values = self._call("inputs", self._inputs, case, parameters, make_rng(seed, self.name, case))
        self._check_names("inputs", values, [arg.name for arg in self.signature])
        for arg in self.signature:
            problem = _mismatch(arg, values[arg.name])
            self._require(not problem, "inputs", f"case {case!r}: {arg.name} {problem}")
        return {arg.name: values[arg.name] for arg in self.signature}

    def arguments_of(self, program: Program, values: Mapping[str, Any]) -> list[Any]:
        """The arguments of a run of one of its programs, out of those of the scene."""
        return [values[arg.name] for arg in program.signature]

    def expected(self, case: str, before: Mapping[str, Any]) -> dict[str, Array]:
        """The golden result of a run whose arguments were `before`."""
        seen = {arg.name: _widen(arg, before[arg.name]) for arg in self.signature if arg.kind != "out"}
        golden = self._call("golden", self._golden, case, seen, self.case(case))
        outputs = [arg.name for arg in self.signature if arg.kind in ("out", "inout")]
        self._check_names("golden", golden, outputs)
        for name in outputs:
            want = golden[name]
            ok = isinstance(want, np.ndarray) and (want.dtype == np.float64 or want.dtype.kind in "biu")
            self._require(ok, "golden", f"case {case!r}: {name} is {_describe(want)}, not a float64 or integer array")
            shape = before[name].shape
            self._require(want.shape == shape, "golden", f"case {case!r}: {name} has shape {want.shape}, not {shape}")
        return {name: golden[name] for name in outputs}

    def check(
        self,
        case: str,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        expected: Mapping[str, Array] | None = None,
    ) -> None:
        """Compare a run's outputs with the golden result, and its inputs with their values before the run.

        Args:
            case: the case that was run.
            before: the arguments as `make_args` returned them.
            after: the arguments that the run was given, as it left them.
            expected: the golden result for `before`, which is the same for every run of a case; None: computed here.

        Raises:
            SceneError: GOLDEN_MISMATCH; the message shows every output that is wrong and where.
        """
        golden = self.expected(case, before) if expected is None else expected
        problems = []
        for arg in self.signature:
            if arg.kind == "scalar":
                continue
            old, new = before[arg.name], after[arg.name]
            if (new.dtype, new.shape) != (old.dtype, old.shape):
                problems.append(f"{arg.name} was {_describe(old)} before the run and is {_describe(new)} after it")
            elif arg.name in golden:
                problems += _compare(arg.name, new, golden[arg.name], self.rtol, self.atol)
            elif new.tobytes() != old.tobytes():  # bytes: a NaN equals itself
                problems.append(f"{arg.name} is an input, but the run changed it")
        self._fail_if(problems, case)

    def obstacle(self, job: Job, target: str, preprocess: Callable[[], str | None]) -> str:
        """The reason why one of its files cannot be compiled, if that is certain before; empty if it is not.

        Args:
            job: the file, which is in no cache.
            target: the processor that it is for, as compilers name it.
            preprocess: makes the text of the file as the preprocessor leaves it, or None if that fails.
        """
        return ""

    def explained(self, error: CompileError, jobs: Sequence[Job]) -> CompileError:
        """The error of compiling its files, with the reason that the scene knows."""
        return error

    def _compare_outputs(self, case: str, after: Mapping[str, Any], golden: Mapping[str, Array]) -> None:
        problems: list[str] = []
        for name, want in golden.items():
            problems += _compare(name, after[name], want, self.rtol, self.atol)
        self._fail_if(problems, case)

    def _fail_if(self, problems: Sequence[str], case: str) -> None:
        if problems:
            raise make_error("GOLDEN_MISMATCH", "\n".join(problems), f"{self.name}, case {case!r}")

    def _require(self, ok: object, field: str, message: str, guess: str = "") -> None:
        if not ok:
            raise make_error("SCENE_INVALID", message, f"{self.file}: {field}", guess=guess)

    def _check_programs(self) -> None:
        self._require(not self._has_both, "programs", "give either these, or orchestration, entry and kernels")
        if len(self.programs) == 1 and self.programs[0].signature is self.signature:
            self.programs = (self._checked(self.programs[0], ""),)
            return
        for index, program in enumerate(self.programs):
            self._require(isinstance(program, Program), f"programs[{index}]", f"{program!r} is no Program")
        self.programs = tuple(self._checked(each, f"programs[{index}].") for index, each in enumerate(self.programs))

    def _checked(self, program: Program, prefix: str) -> Program:
        """The program with absolute paths. `prefix` goes before the name of a field."""
        name = program.entry
        self._require(isinstance(name, str) and name.isidentifier(), f"{prefix}entry", f"no name: {name!r}")
        orchestration = self.folder / program.orchestration
        self._require(orchestration != self.folder, f"{prefix}orchestration", "there is none")
        self._require(orchestration.is_file(), f"{prefix}orchestration", f"there is no file {orchestration}")
        self._require(program.kernels, f"{prefix}kernels", "there are none")
        kernels = []
        for index, kernel in enumerate(program.kernels):
            field = f"{prefix}kernels[{index}]"
            self._require(isinstance(kernel, Kernel), field, f"{kernel!r} is no Kernel")
            source = self.folder / kernel.source
            self._require(source.is_file(), field, f"there is no file {source}")
            is_path = isinstance(kernel.include_dirs, (str, Path))
            self._require(not is_path, field, f"include_dirs is no list of folders: {kernel.include_dirs!r}")
            include_dirs = tuple(self.folder / folder for folder in kernel.include_dirs)
            kernels.append(dataclasses.replace(kernel, source=source, include_dirs=include_dirs))
        repeated = repeated_func_ids(kernel.func_id for kernel in kernels)
        twice = sorted({kernels[later].func_id for _, later in repeated})
        self._require(not twice, f"{prefix}kernels", f"func_id given twice: {_join(twice)}")
        return Program(orchestration, name, tuple(kernels), tuple(program.signature))

    def _check_signature(self) -> None:
        for index, arg in enumerate(self.signature):
            field = f"signature[{index}]"
            self._require(isinstance(arg, Arg), field, f"{arg!r} is no In, Out, InOut or Scalar")
            self._require(_is_dtype(arg.dtype), field, f"{arg.name} has the unknown dtype {arg.dtype!r}")
        twice = _duplicates(arg.name for arg in self.signature)
        self._require(not twice, "signature", f"name given twice: {_join(twice)}")
        outputs = [arg for arg in self.signature if arg.kind in ("out", "inout")]
        self._require(outputs, "signature", "there is no Out and no InOut: nothing could be checked")
        names = [arg.name for arg in self.signature]
        for index, program in enumerate(self.programs):
            field = f"programs[{index}].signature"
            for arg in program.signature:
                self._require(isinstance(arg, Arg), field, f"{arg!r} is no In, Out, InOut or Scalar")
                self._require(arg.name in names, field, f"the scene has no argument {arg.name!r}, only {_join(names)}")

    def _check_settings(self) -> None:
        self._require(self.description, "description", "say in one line what the scene computes")
        self._check_config("config", self.config)
        ok = self.default_case in self.cases
        self._require(ok, "default_case", f"there is no case {self.default_case!r}; there are {_join(self.cases)}")
        for case, config in self.case_config.items():
            self._require(
                case in self.cases, "case_config", f"there is no case {case!r}; there are {_join(self.cases)}"
            )
            self._check_config(f"case_config[{case!r}]", config)
        for case, platforms in self.case_platforms.items():
            ok = case in self.cases
            self._require(ok, "case_platforms", f"there is no case {case!r}; there are {_join(self.cases)}")
            self._require(platforms, f"case_platforms[{case!r}]", "there are none")
            surplus = [name for name in platforms if self.platforms is not None and name not in self.platforms]
            self._require(not surplus, f"case_platforms[{case!r}]", f"the scene does not run on {_join(surplus)}")
        ok = self.default_case not in self.case_platforms
        self._require(ok, "case_platforms", f"{self.default_case!r} is the default case: it must run on all platforms")
        for field, tolerance in (("rtol", self.rtol), ("atol", self.atol)):
            ok = isinstance(tolerance, numbers.Real) and math.isfinite(tolerance) and tolerance >= 0
            self._require(ok, field, f"must be a finite number of 0 or more, not {tolerance!r}")
        self._require(self.platforms is None or self.platforms, "platforms", "there are none")
        self._check_needs()
        ok = _is_integer(self.rounds) and self.rounds >= 1
        self._require(ok, "rounds", f"must be an integer of 1 or more, not {self.rounds!r}")
        self._require(self._inputs, "inputs", "no function is decorated with @scene.inputs")
        self._require(self._golden, "golden", "no function is decorated with @scene.golden")

    def _check_config(self, field: str, config: Mapping[str, int]) -> None:
        for key, value in config.items():
            message = f"there is no {key!r}; there are {_join(CONFIG_MIN)}"
            self._require(key in CONFIG_MIN, field, message, did_you_mean(key, CONFIG_MIN))
            ok = _is_integer(value) and value >= CONFIG_MIN[key]
            self._require(ok, field, f"{key} must be an integer of {CONFIG_MIN[key]} or more, not {value!r}")

    def _check_needs(self) -> None:
        for need, least in self.needs.items():
            message = f"there is no {need!r}; there are {_join(_NEEDS)}"
            self._require(need in _NEEDS, "needs", message, did_you_mean(need, _NEEDS))
            self._require(
                _is_integer(least) and least >= 1, "needs", f"{need} must be an integer of 1 or more, not {least!r}"
            )
            field = _FIELD_OF_NEED.get(need, "")
            for case in self.cases:
                asked = self.config_of(case).get(field, least)
                message = f"case {case!r} needs {least} {_NEEDS[need]}, and its configuration says {field} {asked}"
                self._require(asked >= least, "needs", message)

    def _check_names(self, field: str, values: object, names: Sequence[str]) -> None:
        self._require(isinstance(values, Mapping), field, f"must return a dict of values by name, not {values!r}")
        assert isinstance(values, Mapping)
        missing = [name for name in names if name not in values]
        self._require(not missing, field, f"does not return {_join(missing)}")
        surplus = [name for name in values if name not in names]
        self._require(not surplus, field, f"returns {_join(surplus)}; wanted are only {_join(names)}")

    def _call(self, field: str, function: Callable[..., Any] | None, case: str, *args: Any) -> Any:
        assert function is not None, "bind() has not been called"
        try:
            return function(*args)
        except ChiphostError:
            raise
        except Exception as error:
            message = f"case {case!r} raised {type(error).__name__}: {error}"
            defined_in = getattr(getattr(function, "__code__", None), "co_filename", "")
            file = next((file for file in self._files_before if str(file) == defined_in), self.file)
            raise make_error("SCENE_INVALID", message, f"{_line_in(error, file)}: {field}") from error


def make_rng(seed: int, scene: str, case: str) -> np.random.Generator:
    """Random numbers for one case of one scene: the same on every machine and in every process.

    Raises:
        ArgumentError: the seed is negative.
    """
    if seed < 0:
        raise make_error("INVALID_ARGUMENT", f"a seed must not be negative, this is {seed}", "seed")
    digest = hashlib.sha256(f"{scene}\0{case}".encode(errors="surrogatepass")).digest()
    entropy = np.random.SeedSequence([seed, int.from_bytes(digest[:16], "little")])
    return np.random.Generator(np.random.PCG64(entropy))


def copy_args(args: Mapping[str, Any]) -> Args:
    """Arguments for a run that leaves `args` as they are."""
    return {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in args.items()}


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would lose the names of symbolic links


def import_file(file: Path) -> types.ModuleType:
    """Run a file as a module of its own, without a trace in the file system. Raises SceneError (SCENE_INVALID)."""
    name = f"chiphost_scene_{hashlib.sha256(os.fsencode(file)).hexdigest()[:16]}"
    module = types.ModuleType(name)
    module.__file__ = str(file)
    sys.modules[name] = module  # dataclasses look here for the module they are in
    try:
        exec(compile(file.read_bytes(), str(file), "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        message = f"importing it raised {type(error).__name__}: {error}"
        raise make_error("SCENE_INVALID", message, _line_in(error, file)) from error
    return module


def _line_in(error: BaseException, file: Path) -> str:
    """The file, and the last of its lines that the exception passed through."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f"{file}:{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f"{file}:{lines[-1]}" if lines else str(file)


def _is_dtype(name: str | None) -> bool:
    try:
        return name is None or np.dtype(name) is not None
    except TypeError:
        return False


def _is_integer(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _mismatch(arg: Arg, value: object) -> str:
    """The difference between a value and its entry in the signature; empty if there is none."""
    if arg.kind == "scalar":
        integral = arg.dtype is not None and np.dtype(arg.dtype).kind in "biu"
        wanted = numbers.Integral if integral else numbers.Real
        return "" if isinstance(value, wanted) else f"is {_describe(value)}, not a number that fits {arg.dtype}"
    if not isinstance(value, np.ndarray):
        return f"is {_describe(value)}, not a NumPy array"
    if arg.dtype is not None and value.dtype != np.dtype(arg.dtype):
        return f"has dtype {value.dtype}, not {arg.dtype}"
    if arg.shape is not None:
        lengths_fit = all(want in (None, length) for want, length in zip(arg.shape, value.shape, strict=False))
        if len(arg.shape) != value.ndim or not lengths_fit:
            return f"has shape {value.shape}, not {arg.shape}"
    return "" if value.flags.c_contiguous else "is not C-contiguous"


def _widen(arg: Arg, value: Any) -> Any:
    """A copy of the values that the run sees, with floats as float64: a scalar is rounded to its dtype first."""
    if arg.kind == "scalar":
        value = np.asarray(value).astype(arg.dtype)
        return int(value) if value.dtype.kind in "biu" else float(value)
    return value.copy() if value.dtype.kind in "biu" else value.astype(np.float64)


def _compare(name: str, got: Array, want: Array, rtol: float, atol: float) -> list[str]:
    """A report of the elements that differ, or nothing."""
    shape = got.shape
    got, want = got.reshape(-1), want.reshape(-1)
    exact = want.dtype.kind in "biu"
    with np.errstate(invalid="ignore", over="ignore"):
        wide = got.astype(np.float64)
        difference = np.abs(wide - want)
        if exact:
            right = got == want
        else:
            # The tolerance is for finite numbers: compared with an infinity every difference would be small.
            right = np.isfinite(want) & (difference <= atol + rtol * np.abs(want))
            right |= (wide == want) | (np.isnan(wide) & np.isnan(want))
    wrong = np.flatnonzero(~right)
    if not wrong.size:
        return []

    def show(which: str, flat: Any) -> str:
        index = [int(i) for i in np.unravel_index(flat, shape)]
        shown = f"expected {_number(want[flat])}, got {_number(got[flat])}, difference {difference[flat]:.3g}"
        return f"  {which} {index}: {shown}"

    worst = wrong[np.argmax(np.nan_to_num(difference[wrong], nan=np.inf))]
    tolerance = "compared exactly" if exact else f"rtol {rtol:g}, atol {atol:g}"
    lines = [f"{name}: {wrong.size} of {got.size} elements differ ({tolerance})", show("worst", worst)]
    if wrong.size > 1:
        lines += [show("first", flat) for flat in wrong[:_SHOWN_DIFFERENCES]]
    return lines


def _number(value: Any) -> str:
    value = value.item()
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _describe(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} with shape {value.shape}"
    return f"{value!r} ({type(value).__name__})"


def _duplicates(values: Iterable[Any]) -> list[Any]:
    values = list(values)
    return sorted({value for value in values if values.count(value) > 1})


def _join(values: Iterable[Any]) -> str:
    return ", ".join(one_line(str(value)) for value in values) or "none"

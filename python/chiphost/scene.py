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

import hashlib
import os
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from ._compiling.job import Job, Kernel
from ._runtimes import runtimes
from ._scene.checks import FIELD_OF_NEED, NEEDS, Checks, join
from ._scene.comparison import compare
from ._scene.program import Program
from ._scene.python_file import import_file, line_in
from ._scene.values import Args, Array, describe, mismatch, widen
from ._text.suggestion import did_you_mean
from .callable import DEFAULT_ENTRY
from .chip import Chip
from .errors import ChiphostError, CompileError, make_error
from .signature import Arg

InputsFunction = Callable[[Mapping[str, Any], np.random.Generator], Mapping[str, Any]]
GoldenFunction = Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, Any]]

SCENE_FILE: Final = "scene.py"


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
        checks = self._checks
        self.programs = self._checked_programs()
        checks.signature(self.signature, self.programs)
        checks.require(self.description, "description", "say in one line what the scene computes")
        checks.config("config", self.config)
        self._check_cases()
        checks.tolerance("rtol", self.rtol)
        checks.tolerance("atol", self.atol)
        checks.require(self.platforms is None or self.platforms, "platforms", "there are none")
        checks.needs(self.needs, {case: self.config_of(case) for case in self.cases})
        checks.count("rounds", self.rounds)
        checks.require(self._inputs, "inputs", "no function is decorated with @scene.inputs")
        checks.require(self._golden, "golden", "no function is decorated with @scene.golden")

    @property
    def usual_cases(self) -> list[str]:
        """The cases that run where none are named."""
        return list(self.cases)

    def case(self, name: str) -> Mapping[str, Any]:
        """Parameters of a case. Raises SceneError SCENE_UNKNOWN."""
        if name not in self.cases:
            message = f"there is no case {name!r}; there are {join(self.cases)}"
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
        least = {need: config[field] for need, field in FIELD_OF_NEED.items() if field in config} | self.needs
        return "; ".join(
            f"needs {wanted} {NEEDS[need]}, {platform} has {found}"
            for need, wanted in least.items()
            if (found := getattr(chip, need)) < wanted
        )

    def config_of(self, case: str, chip: Chip | None = None) -> dict[str, int]:
        """The fields of the configuration that a case sets; on a smaller chip the chip's values, if they will do."""
        config = {**self.config, **self.case_config.get(case, {})}
        for need, field in FIELD_OF_NEED.items():
            if chip is not None and need in self.needs and field in config:
                config[field] = min(config[field], getattr(chip, need))
        return config

    def make_args(self, case: str | None = None, seed: int = 0) -> Args:
        """All arguments of a case, in the order of the signature. Equal seeds give equal arguments."""
        case = self.default_case if case is None else case
        parameters = self.case(case)
        values = self._call("inputs", self._inputs, case, parameters, make_rng(seed, self.name, case))
        self._checks.names("inputs", values, [arg.name for arg in self.signature])
        for arg in self.signature:
            problem = mismatch(arg, values[arg.name])
            self._checks.require(not problem, "inputs", f"case {case!r}: {arg.name} {problem}")
        return {arg.name: values[arg.name] for arg in self.signature}

    def arguments_of(self, program: Program, values: Mapping[str, Any]) -> list[Any]:
        """The arguments of a run of one of its programs, out of those of the scene."""
        return [values[arg.name] for arg in program.signature]

    def expected(self, case: str, before: Mapping[str, Any]) -> dict[str, Array]:
        """The golden result of a run whose arguments were `before`."""
        checks = self._checks
        seen = {arg.name: widen(arg, before[arg.name]) for arg in self.signature if arg.kind != "out"}
        golden = self._call("golden", self._golden, case, seen, self.case(case))
        outputs = [arg.name for arg in self.signature if arg.kind in ("out", "inout")]
        checks.names("golden", golden, outputs)
        for name in outputs:
            want = golden[name]
            ok = isinstance(want, np.ndarray) and (want.dtype == np.float64 or want.dtype.kind in "biu")
            checks.require(ok, "golden", f"case {case!r}: {name} is {describe(want)}, not a float64 or integer array")
            shape = before[name].shape
            checks.require(want.shape == shape, "golden", f"case {case!r}: {name} has shape {want.shape}, not {shape}")
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
                problems.append(f"{arg.name} was {describe(old)} before the run and is {describe(new)} after it")
            elif arg.name in golden:
                problems += compare(arg.name, new, golden[arg.name], self.rtol, self.atol)
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
            problems += compare(name, after[name], want, self.rtol, self.atol)
        self._fail_if(problems, case)

    def _fail_if(self, problems: Sequence[str], case: str) -> None:
        if problems:
            raise make_error("GOLDEN_MISMATCH", "\n".join(problems), f"{self.name}, case {case!r}")

    @property
    def _checks(self) -> Checks:
        return Checks(self.file)

    def _checked_programs(self) -> tuple[Program, ...]:
        checks = self._checks
        checks.require(not self._has_both, "programs", "give either these, or orchestration, entry and kernels")
        if len(self.programs) == 1 and self.programs[0].signature is self.signature:
            return (checks.program(self.programs[0], ""),)
        for index, program in enumerate(self.programs):
            checks.require(isinstance(program, Program), f"programs[{index}]", f"{program!r} is no Program")
        return tuple(checks.program(each, f"programs[{index}].") for index, each in enumerate(self.programs))

    def _check_cases(self) -> None:
        checks = self._checks
        checks.case("default_case", self.default_case, self.cases)
        for case, config in self.case_config.items():
            checks.case("case_config", case, self.cases)
            checks.config(f"case_config[{case!r}]", config)
        for case, platforms in self.case_platforms.items():
            checks.case("case_platforms", case, self.cases)
            field = f"case_platforms[{case!r}]"
            checks.require(platforms, field, "there are none")
            surplus = [name for name in platforms if self.platforms is not None and name not in self.platforms]
            checks.require(not surplus, field, f"the scene does not run on {join(surplus)}")
        ok = self.default_case not in self.case_platforms
        message = f"{self.default_case!r} is the default case: it must run on all platforms"
        checks.require(ok, "case_platforms", message)

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
            raise make_error("SCENE_INVALID", message, f"{line_in(error, file)}: {field}") from error


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

# SPDX-License-Identifier: Apache-2.0
"""Scenes of the project simpler, as they are: kernels/kernel_config.py and golden.py in one folder.

    <root>/.../<arch>/<runtime>/<scene>/kernels/kernel_config.py    the files, their runtime and its settings
    <root>/.../<arch>/<runtime>/<scene>/golden.py                   inputs, expected results, cases, tolerances

Their C++ sources include headers under simpler's names, which chiphost has (cpp/compat), and those of PTO-ISA, whose
folder the user names. Both Python files are imported as they are; nothing is written beside them.

Every tensor goes in and comes out, whatever the file's signature says: some signatures are wrong. Scalars are passed by
their bits.
"""

from __future__ import annotations

import copy
import ctypes
import enum
import functools
import os
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import ml_dtypes
import numpy as np

from .. import toolchain
from .._compiling.job import Job, Kernel
from .._scene.program import Program
from .._scene.python_file import import_file
from .._scene.values import Args, Array
from ..callable import CoreType
from ..errors import ChiphostError, CompileError, SceneError, make_error
from ..scene import Scene
from . import pto_isa, pto_isa_names, source_check, torch_import

CONFIG_FILE: Final = "kernels/kernel_config.py"
GOLDEN_FILE: Final = "golden.py"
ENTRY: Final = "chiphost_simpler_entry"  # the entry of every orchestration; cpp/compat defines it
_DEVICE_ENTRY: Final = "aicpu_orchestration_entry"  # simpler calls it on the AICPU, whatever function_name says

# Folders of <arch>/<runtime>/<scene> lie at most this deep below a folder that a user names: a checkout has them in
# tests/st.
_DEPTH_MAX: Final = 5
_ARCHS: Final = ("a2a3", "a5")
_BLOCK_DIM: Final = 24  # the value for a configuration that says nothing
# Variables that a scene sets in the environment of simpler, each with the field of the configuration that it is here.
_SETTINGS: Final = {
    "PTO2_RING_TASK_WINDOW": "ring_task_window",
    "PTO2_RING_HEAP": "ring_heap_bytes",
    "PTO2_RING_DEP_POOL": "ring_dep_pool",
}


class ArgDirection(enum.IntEnum):
    """A direction that kernel_config.py gives an argument, under simpler's name. Nothing here depends on it."""

    SCALAR = 0
    IN = 1
    OUT = 2
    INOUT = 3


class TensorArgs(dict[str, Any]):
    """Arguments as arrays and words by name, with the objects that generate_inputs returned."""

    def __init__(self, made: Sequence[tuple[str, Any]]) -> None:
        """Take over the result of generate_inputs; arrays share memory with its tensors."""
        super().__init__((name, _as_argument(name, value)) for name, value in made)
        self.made = list(made)


def discover(root: Path, arch: str | None = None) -> list[tuple[str, Path]]:
    """(name, folder) of every scene of simpler's in or below a folder, sorted by name. Imports none of them.

    With a chip family: only scenes of that family, and those that name none.

    The name is "<runtime>/<scene>". If a folder has several of one name, the place follows the name in parentheses.
    """
    root = Path(os.path.abspath(root))  # noqa: PTH100 - resolve() would lose the names of symbolic links
    files = [root / CONFIG_FILE] if (root / CONFIG_FILE).is_file() else []
    for depth in range(1, _DEPTH_MAX + 1):
        files += root.glob("/".join(["*"] * depth) + f"/{CONFIG_FILE}")
    folders = sorted(file.parents[1] for file in files if (file.parents[1] / GOLDEN_FILE).is_file())
    folders = [folder for folder in folders if None in (arch, arch_of(folder)) or arch_of(folder) == arch]
    names = [f"{_runtime_of(folder)}/{folder.name}" for folder in folders]
    found = []
    for name, folder in zip(names, folders, strict=True):
        place = folder.parents[1].relative_to(root) if folder.parents[1].is_relative_to(root) else Path()
        found.append((f"{name} ({place})" if names.count(name) > 1 else name, folder))
    return sorted(found)


def _runtime_of(folder: Path) -> str:
    """The runtime in kernel_config.py, if it can be read without running it; else the name of the folder above."""
    text = (folder / CONFIG_FILE).read_text(errors="replace")
    found = re.search(r"""["']runtime["']\s*:\s*["'](\w+)["']""", text)
    return found[1] if found else folder.parent.name


def is_scene(folder: Path) -> bool:
    """True if a folder is a scene of simpler's."""
    return (folder / CONFIG_FILE).is_file() and (folder / GOLDEN_FILE).is_file()


def arch_of(folder: Path) -> str | None:
    """The chip family that a scene's folder is for, from the name of a folder above it; None if no name says it."""
    name = folder.parents[1].name
    return name if name in _ARCHS else None


class SimplerScene(Scene):
    """A scene of simpler's. `load` reads it; its arguments are known when golden.py has made them."""

    def __init__(self, folder: Path, name: str) -> None:
        """Import both files, and check what they say. Raises SceneError (SCENE_INVALID)."""
        try:
            with _imports_of(folder):
                config = import_file(folder / CONFIG_FILE)
                golden = import_file(folder / GOLDEN_FILE)
        except ChiphostError as error:
            missing = error.__cause__
            if isinstance(missing, ModuleNotFoundError) and missing.name == "torch":
                hint = "install torch beside chiphost; other scenes run without it"
                raise make_error("SCENE_INVALID", error.message, error.where, hint=hint) from missing
            raise
        self._golden_module = golden
        settings = _get(config, "RUNTIME_CONFIG", dict, {})
        cases = _get(golden, "ALL_CASES", dict, {"Default": {}})
        arch = arch_of(folder)
        super().__init__(
            description=(golden.__doc__ or config.__doc__ or name).strip().splitlines()[0],
            signature=(),
            cases={str(case): dict(values) for case, values in cases.items()},
            default_case=str(getattr(golden, "DEFAULT_CASE", next(iter(cases), "Default"))),
            rtol=float(getattr(golden, "RTOL", 1e-5)),
            atol=float(getattr(golden, "ATOL", 1e-5)),
            config={"block_dim": int(settings.get("block_dim", _BLOCK_DIM)), **_ring_settings(config)},
            platforms=[arch, f"{arch}sim"] if arch else None,
            rounds=int(settings.get("rounds", 1)),
        )
        self.name = name
        self.file = folder / GOLDEN_FILE
        self.folder = folder
        self.runtime = name.partition("/")[0]
        said = settings.get("runtime", self.runtime)
        self._checks.require(said == self.runtime, "RUNTIME_CONFIG", f"is for the runtime {said}, and called {name}")
        self._outputs = [str(output) for output in _get(golden, "__outputs__", (list, tuple), ())]
        self._checks.require(self._outputs, "__outputs__", "there are none: nothing could be checked")
        self._checks.require(self.default_case in self.cases, "DEFAULT_CASE", f"there is no case {self.default_case!r}")
        for function in ("generate_inputs", "compute_golden"):
            self._checks.require(callable(getattr(golden, function, None)), function, "there is no such function")
        self.programs = (self._program(config),)

    @classmethod
    def load(cls, folder: str | Path, name: str | None = None) -> SimplerScene:
        """Import a scene. Raises SceneError: SCENE_UNKNOWN if the folder is none, SCENE_INVALID."""
        folder = Path(folder).absolute()
        if not is_scene(folder):
            raise make_error("SCENE_UNKNOWN", f"there is no {CONFIG_FILE} with a {GOLDEN_FILE}", str(folder))
        try:
            return cls(folder, name or f"{_runtime_of(folder)}/{folder.name}")
        except SceneError:
            raise
        except Exception as error:  # a value of a type that nobody expects, a kernel that cannot be
            message = str(error) if isinstance(error, ChiphostError) else f"{type(error).__name__}: {error}"
            raise make_error("SCENE_INVALID", message, str(folder / CONFIG_FILE)) from error

    @property
    def usual_cases(self) -> list[str]:
        """The default case only, as in simpler: others may take minutes."""
        return [self.default_case]

    def arguments_of(self, program: Program, values: Mapping[str, Any]) -> list[Any]:
        """All values, in the order in which generate_inputs gave them."""
        return list(values.values())

    def make_args(self, case: str | None = None, seed: int = 0) -> Args:
        """The result of generate_inputs for a case. It seeds its random numbers itself, so `seed` changes nothing."""
        case = self.default_case if case is None else case
        made = self._call("generate_inputs", self._golden_module.generate_inputs, case, self._params(case))
        ok = isinstance(made, Sequence) and all(isinstance(each, tuple) and len(each) == 2 for each in made)
        self._checks.require(ok, "generate_inputs", f"case {case!r}: it must return a list of (name, value)")
        return TensorArgs(made)

    def expected(self, case: str, before: Mapping[str, Any]) -> dict[str, Array]:
        """The results that compute_golden writes into copies of the outputs, which are as they were before the run."""
        made = dict(cast(TensorArgs, before).made)
        missing = [name for name in self._outputs if name not in made]
        self._checks.require(not missing, "__outputs__", f"generate_inputs made no {', '.join(missing)}")
        seen = {name: getattr(value, "value", value) for name, value in made.items()}
        for name in self._outputs:
            seen[name] = made[name].clone() if hasattr(made[name], "clone") else copy.copy(made[name])
        self._call("compute_golden", self._golden_module.compute_golden, case, seen, self._params(case))
        return {name: _widened(_as_array(name, seen[name])) for name in self._outputs}

    def check(
        self,
        case: str,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        expected: Mapping[str, Array] | None = None,
    ) -> None:
        """Compare the outputs with the golden ones. Other tensors may change: simpler does not look at them."""
        self._compare_outputs(case, after, self.expected(case, before) if expected is None else expected)

    def obstacle(self, job: Job, target: str, preprocess: Callable[[], str | None]) -> str:
        """An obstacle: assembler of another processor, or types that exist nowhere."""
        written = job.source.read_text(errors="replace")
        may_have_assembler = source_check.may_have_foreign_assembler(written)
        known = _compat_words(toolchain.compat_dir(), toolchain.include_dir())
        # The compiler for a real chip knows types that no header has.
        may_have_types = job.target == "host" and source_check.may_have_undefined_types(written, known.__contains__)
        text = preprocess() if may_have_assembler or may_have_types else None
        if text is None:
            return ""  # the compiler knows better
        problems = []
        if may_have_assembler and (at := source_check.foreign_assembler(text, target, job.source)):
            processor = target.partition("-")[0]
            problems.append(
                f"{at.file}:{at.line}: `{at.what}` is an instruction of aarch64, and this is for {processor}"
            )
        if may_have_types:
            for at in source_check.undefined_types(text, job.source):
                if not pto_isa_names.at_wanted_commit(at.what):  # else `explained` names the commit
                    message = "is used as a type, and neither the file nor what it includes says what it is"
                    problems.append(f"{at.file}:{at.line}: {at.what} {message}")
        return "\n".join(problems)

    def explained(self, error: CompileError, jobs: Sequence[Job]) -> CompileError:
        """The error, with the commit of PTO-ISA that is wanted, if its headers lack a name."""
        include = pto_isa.include_folders()[-2]  # the folder of the checkout, behind chiphost's own
        sources = [job.source for job in jobs if job.target == "host"]  # a compile for a real chip reads other headers
        known = pto_isa_names.explain(error.message, sources, include) if error.name == "COMPILE_FAILED" else None
        if known is None:
            return error
        message = f"{error.message}\n{known.text}"
        return cast(CompileError, make_error("COMPILE_FAILED", message, error.where, hint=known.hint))

    def _call(self, field: str, function: Callable[..., Any] | None, case: str, *args: Any) -> Any:
        with _imports_of(self.folder):  # imports of functions while they are called
            return super()._call(field, function, case, *args)

    def _params(self, case: str) -> dict[str, Any]:
        return {"name": case, **self.case(case)}

    def _program(self, config: types.ModuleType) -> Program:
        orchestration = _get(config, "ORCHESTRATION", dict, None)
        self._checks.require(orchestration, f"{CONFIG_FILE}: ORCHESTRATION", "there is none")
        assert orchestration is not None
        include_dirs = (toolchain.compat_dir() / "simpler", *pto_isa.include_folders())
        kernels = []
        for index, each in enumerate(_get(config, "KERNELS", list, [])):
            where = f"{CONFIG_FILE}: KERNELS[{index}]"
            ok = isinstance(each, dict) and {"func_id", "source", "core_type"} <= each.keys()
            self._checks.require(ok, where, f"wanted a dict with func_id, source and core_type, found {each!r}")
            self._checks.require(Path(each["source"]).is_file(), where, f"there is no file {each['source']}")
            kernels.append(
                Kernel(
                    each["func_id"],
                    each["source"],
                    cast(CoreType, each["core_type"]),
                    name=each.get("name"),
                    include_dirs=include_dirs,
                    defines=("PTO_CPU_MAX_THREADS=1", "NDEBUG"),
                    flags=pto_isa.FLAGS,
                    prelude=pto_isa.prelude_of(each["source"]),
                )
            )
        self._checks.require(kernels, f"{CONFIG_FILE}: KERNELS", "there are none")
        source, function = orchestration.get("source", ""), _DEVICE_ENTRY
        if self.runtime == "host_build_graph":
            function = str(orchestration.get("function_name", ""))
        where = f"{CONFIG_FILE}: ORCHESTRATION"
        self._checks.require(Path(source).is_file(), where, f"there is no file {source!r}")
        self._checks.require(function.isidentifier(), where, f"function_name is no name: {function!r}")
        return Program(
            source,
            ENTRY,
            tuple(kernels),
            (),
            include_dirs=compat_folders(self.runtime),
            defines=(f"CHIPHOST_SIMPLER_ENTRY={function}",),
            flags=pto_isa.FLAGS,
            has_signature=False,
        )


def compat_folders(runtime: str) -> tuple[Path, ...]:
    """The folders that offer simpler's names to sources of a runtime."""
    folder = toolchain.compat_dir()
    return folder / runtime, folder / "simpler"


@functools.cache
def _compat_words(*folders: Path) -> frozenset[str]:
    """All words of chiphost's headers, and the type that every compiler for the chip knows."""
    files = (file for folder in folders for file in folder.rglob("*.h"))
    return frozenset({"half"}.union(*(re.findall(r"\w+", file.read_text(errors="replace")) for file in files)))


def _ring_settings(config: types.ModuleType) -> dict[str, int]:
    wanted = _get(config, "RUNTIME_ENV", dict, {})
    unknown = [name for name in wanted if name not in _SETTINGS]
    if unknown:
        message = f"nobody knows what {', '.join(unknown)} means; known are {', '.join(_SETTINGS)}"
        raise make_error("SCENE_INVALID", message, f"{config.__file__}: RUNTIME_ENV")
    return {_SETTINGS[name]: int(value) for name, value in wanted.items()}


def _get(module: types.ModuleType, name: str, kinds: type | tuple[type, ...], default: Any) -> Any:
    value = getattr(module, name, default)
    if value is not default and not isinstance(value, kinds):
        raise make_error("SCENE_INVALID", f"{name} has the wrong type: {value!r}", f"{module.__file__}: {name}")
    return value


@contextmanager
def _imports_of(folder: Path) -> Iterator[None]:
    """Let files of a scene import the modules that simpler has: task_interface, and those in a `golden` folder.

    Modules that come from there are forgotten afterwards: another checkout may have others of the same name.
    """
    task_interface = types.ModuleType("task_interface")
    task_interface.ArgDirection = ArgDirection  # type: ignore[attr-defined]
    before, path, known = sys.modules.get("task_interface"), list(sys.path), set(sys.modules)
    sys.modules["task_interface"] = task_interface
    places = [above / "golden" for above in folder.parents if (above / "golden").is_dir()]
    sys.path[:0] = [str(place) for place in (folder, *places)]
    writes = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # not one file of theirs changes, and none is added
    try:
        with torch_import.timed():
            yield
    finally:
        sys.dont_write_bytecode = writes
        sys.path[:] = path
        sys.modules.pop("task_interface", None)
        if before is not None:
            sys.modules["task_interface"] = before
        for name in set(sys.modules) - known:
            file = getattr(sys.modules[name], "__file__", None)
            if file and any(Path(file).is_relative_to(place) for place in (folder, *places)):
                del sys.modules[name]


def _as_argument(name: str, value: Any) -> Any:
    """An array, or a number's bits as a word."""
    if isinstance(value, ctypes._SimpleCData):
        return int.from_bytes(bytes(value), sys.byteorder)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        word = ctypes.c_double(value) if isinstance(value, float) else ctypes.c_int64(value)
        return int.from_bytes(bytes(word), sys.byteorder)
    return _as_array(name, value)


def _as_array(name: str, value: Any) -> Array:
    """The array that shares the memory of a tensor of torch, or of NumPy."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach"):  # torch is imported only by scenes that need it
        tensor = value.detach().contiguous()
        if str(tensor.dtype) == "torch.bfloat16":
            return cast(Array, tensor.view(sys.modules["torch"].int16).numpy().view(ml_dtypes.bfloat16))
        return cast(Array, tensor.numpy())
    raise make_error("SCENE_INVALID", f"{name} is a {type(value).__name__}, no tensor, array or ctypes number", name)


def _widened(array: Array) -> Array:
    return array if array.dtype.kind in "biu" else array.astype(np.float64)

# SPDX-License-Identifier: Apache-2.0
"""The checks of a scene's description. Each is about one field, or a few that belong together."""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from .._compiling.job import Kernel
from .._text.printable import one_line
from .._text.suggestion import did_you_mean
from ..call_config import FIELDS
from ..callable import repeated_func_ids
from ..errors import make_error
from ..signature import Arg
from .program import Program
from .values import is_dtype

# The fields that a scene may configure, with their lowest values. The worker knows the highest, which depend on the
# chip.
CONFIG_MIN: Final[Mapping[str, int]] = {name: field.least for name, field in FIELDS.items() if field.user == "graph"}

# The things that a scene may need of a chip, in words, each with the field of the configuration that asks for it.
NEEDS: Final = {
    "clusters": "clusters",
    "aicpu_threads": "AICPU threads",
    "memory_bytes": "bytes of device memory",
}
FIELD_OF_NEED: Final = {"clusters": "block_dim", "aicpu_threads": "aicpu_thread_num"}


@dataclasses.dataclass(frozen=True)
class Checks:
    """The checks of the scene in one file. A field that is wrong is a SceneError (SCENE_INVALID) that names both."""

    file: Path

    def require(self, ok: object, field: str, message: str, guess: str = "") -> None:
        """Raise the error with this message unless something is true."""
        if not ok:
            raise make_error("SCENE_INVALID", message, f"{self.file}: {field}", guess=guess)

    def program(self, program: Program, prefix: str) -> Program:
        """Check a program, and return it with absolute paths. `prefix` goes before the name of a field."""
        folder = self.file.parent
        name = program.entry
        self.require(isinstance(name, str) and name.isidentifier(), f"{prefix}entry", f"no name: {name!r}")
        orchestration = folder / program.orchestration
        self.require(orchestration != folder, f"{prefix}orchestration", "there is none")
        self.require(orchestration.is_file(), f"{prefix}orchestration", f"there is no file {orchestration}")
        self.require(program.kernels, f"{prefix}kernels", "there are none")
        kernels = []
        for index, kernel in enumerate(program.kernels):
            field = f"{prefix}kernels[{index}]"
            self.require(isinstance(kernel, Kernel), field, f"{kernel!r} is no Kernel")
            source = folder / kernel.source
            self.require(source.is_file(), field, f"there is no file {source}")
            include_dirs = self._folders(kernel.include_dirs, field)
            kernels.append(dataclasses.replace(kernel, source=source, include_dirs=include_dirs))
        repeated = repeated_func_ids(kernel.func_id for kernel in kernels)
        twice = sorted({kernels[later].func_id for _, later in repeated})
        self.require(not twice, f"{prefix}kernels", f"func_id given twice: {join(twice)}")
        return dataclasses.replace(
            program,
            orchestration=orchestration,
            kernels=tuple(kernels),
            signature=tuple(program.signature),
            include_dirs=self._folders(program.include_dirs, f"{prefix}orchestration"),
        )

    def _folders(self, folders: Sequence[str | Path], field: str) -> tuple[Path, ...]:
        """Folders of headers, as absolute paths."""
        self.require(not isinstance(folders, (str, Path)), field, f"include_dirs is no list of folders: {folders!r}")
        return tuple(self.file.parent / each for each in folders)

    def signature(self, signature: Sequence[Arg], programs: Sequence[Program]) -> None:
        """Check the arguments of the scene, and those that each of its programs takes of them."""
        for index, arg in enumerate(signature):
            field = f"signature[{index}]"
            self._is_arg(arg, field)
            self.require(is_dtype(arg.dtype), field, f"{arg.name} has the unknown dtype {arg.dtype!r}")
        twice = _duplicates(arg.name for arg in signature)
        self.require(not twice, "signature", f"name given twice: {join(twice)}")
        outputs = [arg for arg in signature if arg.kind in ("out", "inout")]
        self.require(outputs, "signature", "there is no Out and no InOut: nothing could be checked")
        names = [arg.name for arg in signature]
        for index, program in enumerate(programs):
            field = f"programs[{index}].signature"
            for arg in program.signature:
                self._is_arg(arg, field)
                self.require(arg.name in names, field, f"the scene has no argument {arg.name!r}, only {join(names)}")

    def _is_arg(self, arg: object, field: str) -> None:
        self.require(isinstance(arg, Arg), field, f"{arg!r} is no In, Out, InOut or Scalar")

    def config(self, field: str, config: Mapping[str, int]) -> None:
        """Check fields of a run's configuration."""
        for key, value in config.items():
            message = f"there is no {key!r}; there are {join(CONFIG_MIN)}"
            self.require(key in CONFIG_MIN, field, message, did_you_mean(key, CONFIG_MIN))
            ok = _is_integer(value) and value >= CONFIG_MIN[key]
            self.require(ok, field, f"{key} must be an integer of {CONFIG_MIN[key]} or more, not {value!r}")

    def case(self, field: str, name: str, cases: Iterable[str]) -> None:
        """Check that the case that a field names is one of those of the scene."""
        self.require(name in cases, field, f"there is no case {name!r}; there are {join(cases)}")

    def tolerance(self, field: str, tolerance: float) -> None:
        """Check how far an output may be off."""
        ok = isinstance(tolerance, numbers.Real) and math.isfinite(tolerance) and tolerance >= 0
        self.require(ok, field, f"must be a finite number of 0 or more, not {tolerance!r}")

    def needs(self, needs: Mapping[str, int], config_of: Mapping[str, Mapping[str, int]]) -> None:
        """Check the least of a chip that will do: no case may ask for less. `config_of` has a case's configuration."""
        for need, least in needs.items():
            message = f"there is no {need!r}; there are {join(NEEDS)}"
            self.require(need in NEEDS, "needs", message, did_you_mean(need, NEEDS))
            self.count("needs", least, f"{need} ")
            field = FIELD_OF_NEED.get(need, "")
            for case, config in config_of.items():
                asked = config.get(field, least)
                message = f"case {case!r} needs {least} {NEEDS[need]}, and its configuration says {field} {asked}"
                self.require(asked >= least, "needs", message)

    def count(self, field: str, value: Any, prefix: str = "") -> None:
        """Check that a value counts things, and at least one. `prefix` goes before the message."""
        ok = _is_integer(value) and value >= 1
        self.require(ok, field, f"{prefix}must be an integer of 1 or more, not {value!r}")

    def names(self, field: str, values: object, names: Sequence[str]) -> None:
        """Check that a function of the scene has returned values with these names and no others."""
        self.require(isinstance(values, Mapping), field, f"must return a dict of values by name, not {values!r}")
        assert isinstance(values, Mapping)
        missing = [name for name in names if name not in values]
        self.require(not missing, field, f"does not return {join(missing)}")
        surplus = [name for name in values if name not in names]
        self.require(not surplus, field, f"returns {join(surplus)}; wanted are only {join(names)}")


def join(values: Iterable[Any]) -> str:
    """The values in one line, for a message."""
    return ", ".join(one_line(str(value)) for value in values) or "none"


def _is_integer(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _duplicates(values: Iterable[Any]) -> list[Any]:
    values = list(values)
    return sorted({value for value in values if values.count(value) > 1})

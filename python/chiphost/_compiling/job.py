# SPDX-License-Identifier: Apache-2.0
"""The things to compile: kernels, and jobs, each of which is one file with everything that decides its compilation.

Relative paths in `flags` start at the source's folder; all other relative paths start at the process's working folder.
"""

from __future__ import annotations

import dataclasses
import operator
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .. import _core
from .._runtimes import runtimes
from ..callable import CORE_TYPES, CoreType, repeated_func_ids
from ..errors import ChiphostError, make_error
from . import host_toolchain
from .host_toolchain import Target

StrPath = str | Path

MAX_FUNC_ID: Final = _core.MAX_FUNC_ID
_ORCHESTRATES_ON_THE_HOST: Final = "host_build_graph"


@dataclass(frozen=True)
class Kernel:
    """A kernel's source file and how to compile it.

    Attributes:
        func_id: the number by which orchestrations submit it, 0 to 1023.
        source: path of the C++ file.
        core_type: "aic" (matrix) or "aiv" (vector).
        name: for messages; the file's stem if None.
        include_dirs: folders for #include, after chiphost's own.
        defines: "NAME" or "NAME=VALUE".
        flags: further words for the compiler; they win over chiphost's.
        prelude: a header that is included before the source. g++ compiles it once for all kernels of a call that have
            the same prelude, core type, include_dirs, defines and flags.

    Raises ArgumentError (INVALID_ARGUMENT) for a func_id or core type that does not exist.
    """

    func_id: int
    source: StrPath
    core_type: CoreType
    name: str | None = None
    include_dirs: Sequence[StrPath] = ()
    defines: Sequence[str] = ()
    flags: Sequence[str] = ()
    prelude: StrPath | None = None

    def __post_init__(self) -> None:
        """Check what can be checked without looking at files."""
        where = f"Kernel({str(self.source)!r})"
        try:
            func_id = operator.index(self.func_id)
        except TypeError:
            func_id = -1
        if not 0 <= func_id <= MAX_FUNC_ID or isinstance(self.func_id, bool):
            raise invalid(f"func_id is {self.func_id!r}; it must be a number from 0 to {MAX_FUNC_ID}", where)
        if self.core_type not in CORE_TYPES:
            known = " or ".join(map(repr, CORE_TYPES))
            raise invalid(f"core_type is {self.core_type!r}; it must be {known}", where)
        object.__setattr__(self, "func_id", func_id)
        object.__setattr__(self, "name", self.name or Path(self.source).stem)


@dataclass(frozen=True)
class Job:
    """One file to compile. `kernel_job` and `orchestration_job` make these.

    Attributes:
        source: absolute path of the file; it existed when the job was made.
        name: of the binary.
        title: what it is, for messages, for example "kernel 'add' (func_id 3, aiv)".
        platform: for example "a2a3sim".
        core_type: of a kernel; None for an orchestration.
        include_dirs: absolute.
        defines: "NAME" or "NAME=VALUE".
        flags: further words for the compiler.
        target: the processor it is for.
        prelude: absolute path of a header that is included first, None without.
        checked: True for a program that says what it reads and writes. Only programs for the host can.
    """

    source: Path
    name: str
    title: str
    platform: str
    core_type: CoreType | None
    include_dirs: tuple[Path, ...]
    defines: tuple[str, ...]
    flags: tuple[str, ...]
    target: Target = "host"
    prelude: Path | None = None
    checked: bool = False


def kernel_job(kernel: Kernel, platform: str) -> Job:
    """The job that compiles a kernel. Raises ArgumentError if a path or an option cannot be used."""
    title = f"kernel {kernel.name!r} (func_id {kernel.func_id}, {kernel.core_type})"
    name = kernel.name or title
    target: Target = "core" if runtimes.is_cross_compiled(platform) else "host"
    job = _job(
        kernel.source,
        name,
        title,
        platform,
        kernel.core_type,
        kernel.include_dirs,
        kernel.defines,
        kernel.flags,
        target,
    )
    if kernel.prelude is None:
        return job
    return dataclasses.replace(job, prelude=_file_path(kernel.prelude, title, "prelude", "header"))


def orchestration_job(
    source: StrPath,
    runtime: str,
    platform: str,
    *,
    name: str | None = None,
    include_dirs: Sequence[StrPath] = (),
    defines: Sequence[str] = (),
    flags: Sequence[str] = (),
) -> Job:
    """The job that compiles an orchestration. CHIPHOST_RUNTIME_<NAME>=1 is defined for it.

    Raises ArgumentError if a path, an option or the runtime's name cannot be used.
    """
    name = name or Path(source).stem
    title = f"orchestration {name!r}"
    if not runtime.isidentifier() or not runtime.isascii():
        raise invalid(f"runtime is {runtime!r}; it must be a name such as 'host_build_graph'", title)
    defines = (f"CHIPHOST_RUNTIME_{runtime.upper()}=1", *_words("defines", defines, title))
    on_the_host = runtime == _ORCHESTRATES_ON_THE_HOST or not runtimes.is_cross_compiled(platform)
    target: Target = "host" if on_the_host else "aicpu"
    return _job(source, name, title, platform, None, include_dirs, defines, flags, target)


def _job(
    source: StrPath,
    name: str,
    title: str,
    platform: str,
    core_type: CoreType | None,
    include_dirs: Sequence[StrPath],
    defines: Sequence[str],
    flags: Sequence[str],
    target: Target,
) -> Job:
    host_toolchain.arch(platform)
    if isinstance(include_dirs, (str, Path)):
        raise invalid(f"include_dirs is {str(include_dirs)!r}; it must be a sequence of paths", title)
    _words("include_dirs", [str(folder) for folder in include_dirs], title)
    folders = tuple(Path(folder).absolute() for folder in include_dirs)
    return Job(
        _file_path(source, title, "source", "source file"),
        name,
        title,
        platform,
        core_type,
        folders,
        _words("defines", defines, title),
        _words("flags", flags, title),
        target,
    )


def _file_path(name: StrPath, title: str, what: str, kind: str) -> Path:
    path = Path(name).absolute()
    if not os.path.isfile(path):  # noqa: PTH113 (any text may come)
        if "\n" in str(name):
            raise invalid(f"{what} is C++ text; it must be the path of a file", title)
        raise invalid(f"there is no {kind} {str(path)!r}", title)
    return path


def _words(what: str, words: Sequence[str], title: str) -> tuple[str, ...]:
    if isinstance(words, str) or not all(isinstance(word, str) for word in words):
        raise invalid(f"{what} is {words!r}; it must be a sequence of strings", title)
    if any("\0" in word for word in words):
        raise invalid(f"{what} is {words!r}; no word of a command can have a NUL in it", title)
    return tuple(words)


def check_func_ids(kernels: Sequence[Kernel]) -> None:
    """Raise ArgumentError (INVALID_ARGUMENT) for two kernels of one func_id."""
    for first, later in repeated_func_ids(kernel.func_id for kernel in kernels):
        kernel = kernels[later]
        message = f"func_id {kernel.func_id} is given to {kernels[first].source} and to {kernel.source}"
        raise invalid(message, "kernels")


def invalid(message: str, where: str) -> ChiphostError:
    """The error for an argument that cannot be used."""
    return make_error("INVALID_ARGUMENT", message, where)

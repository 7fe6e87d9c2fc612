# SPDX-License-Identifier: Apache-2.0
"""The machine's C++ compiler, and its options for the simulated platforms.

Kernels and orchestrations of a simulated platform are shared libraries for the host. Their symbols stay visible,
because users write `extern "C"` and no visibility attribute, and debuggers must find the user's source under its own
path.

Every function here may be called from any thread.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from .._runtimes import runtimes
from .._text.suggestion import did_you_mean
from ..callable import CoreType
from ..errors import make_error
from ..toolchain import include_dir

Family = Literal["gcc", "clang"]
# The processor that a program is for: this one, the AICPU of a real chip, or its cores.
Target = Literal["host", "aicpu", "core"]

# Variables with folders for #include. Below, options that take folders: one that begins like another comes before it.
FOLDER_VARIABLES: Final = ("CPATH", "CPLUS_INCLUDE_PATH", "C_INCLUDE_PATH")
_FOLDER_OPTIONS: Final = (
    "-I",
    "-iquote",
    "-isystem-after",
    "-isystem",
    "-idirafter",
    "-cxx-isystem",
    "--include-directory-after",
    "--include-directory",
)
_PROBE_TIMEOUT_S: Final = 60.0
_DEFAULTS: Final = ("g++", "clang++")
_CORE_DEFINES: Final[dict[CoreType, str]] = {"aic": "__DAV_CUBE__", "aiv": "__DAV_VEC__"}
Origin = Literal["CXX", "PATH", "SDK", "CHIPHOST_AICPU_CXX"]


@dataclass(frozen=True)
class Compiler:
    """A C++ compiler that has answered.

    Attributes:
        command: the words that start it; more than one if CXX says so, for example ("/usr/bin/ccache", "g++").
        path: the program, absolute, links not resolved (ccache looks at the name it is called by).
        family: whose options it takes.
        version: for example "12.2.0".
        target: what it compiles for, for example "x86_64-linux-gnu".
        identity: digest in hex that changes when the compiler is replaced: resolved path, size and time of each word
            of the command that is a file, all of `--version`, and the target.
    """

    command: tuple[str, ...]
    path: Path
    family: Family
    version: str
    target: str
    identity: str


@dataclass(frozen=True)
class Candidate:
    """One place where a compiler was looked for.

    Attributes:
        origin: "CXX" or "PATH"; for a real chip also CHIPHOST_AICPU_CXX, or SDK for the vendor's folder.
        wanted: what CXX says, or the program's name.
        compiler: the compiler found there, or None.
        problem: why there is none; empty if there is one.
    """

    origin: Origin
    wanted: str
    compiler: Compiler | None
    problem: str


def candidates() -> list[Candidate]:
    """Every place where a compiler is looked for, best first. CXX, when set, is the only one."""
    return list(_candidates())


def find_compiler() -> Compiler:
    """The compiler to use: $CXX if set, else g++, else clang++ on PATH.

    Programs are asked once in a process; a compiler that is installed or replaced later is noticed.

    Raises CompileError (COMPILER_MISSING) if none works, or if CXX is set and does not.
    """
    found = []
    for candidate in _candidates():
        if candidate.compiler:
            return candidate.compiler
        found.append(candidate)
    if found[0].origin == "CXX":
        message = f"CXX is {found[0].wanted!r}, and {found[0].problem}"
        hint = "set CXX to a C++ compiler that works, or unset it to use g++ or clang++"
        raise make_error("COMPILER_MISSING", message, hint=hint)
    looked = "; ".join(f"{candidate.wanted}: {candidate.problem}" for candidate in found)
    raise make_error("COMPILER_MISSING", f"{looked} (PATH is {os.environ.get('PATH', '')!r}, CXX is not set)")


def flags(compiler: Compiler, platform: str, *, core_type: CoreType | None = None) -> tuple[str, ...]:
    """Options for a shared library of a platform; with a core type: for a kernel of that core.

    CHIPHOST_CXXFLAGS adds options that win over chiphost's, such as -O0 for a debugger.

    Raises SceneError (PLATFORM_UNKNOWN), ArgumentError (INVALID_ARGUMENT) if CHIPHOST_CXXFLAGS cannot be split, and
    CompileError as `include_dir` does.
    """
    # Unique symbols would keep a library loaded for ever and share its statics; only g++ makes them.
    unique = ("-fno-gnu-unique",) if compiler.family == "gcc" else ()
    core = (f"-D{_CORE_DEFINES[core_type]}", "-D__CPU_SIM") if core_type else ()
    return (
        *("-shared", "-fPIC", "-std=c++17", "-O2", "-g", *unique),
        *("-Wall", "-fdiagnostics-color=never"),
        *(*core, f"-DCHIPHOST_ARCH_{arch(platform)}=1", f"-I{include_dir()}"),
        *further_flags(),
    )


def further_flags() -> list[str]:
    """The words of CHIPHOST_CXXFLAGS. Raises ArgumentError (INVALID_ARGUMENT) if it cannot be split."""
    words = os.environ.get("CHIPHOST_CXXFLAGS", "")
    try:
        return shlex.split(words)
    except ValueError as error:
        message = f"it is {words!r} and cannot be split into words ({error})"
        raise make_error("INVALID_ARGUMENT", message, "CHIPHOST_CXXFLAGS", hint="quote it as for a shell") from error


def dependencies(depfile: bytes) -> list[str]:
    """The paths in the output of -MD, a rule in make's syntax: "target: path path \\\\<newline> path"."""
    _, _, rest = depfile.partition(b":")
    words = re.findall(rb"(?:\\[^\n]|[^\\\s])+", rest.replace(b"\\\n", b" "))
    return [os.fsdecode(re.sub(rb"\\([ \t#])", rb"\1", word).replace(b"$$", b"$")) for word in words]


def include_folders(command: Sequence[str], folder: Path) -> list[str]:
    """The folders in which `command`, run in `folder`, and the environment look for #include. They need not exist."""
    found = []
    words = iter(_expanded(command, folder))
    for word in words:
        option = next((option for option in _FOLDER_OPTIONS if word.startswith(option)), None)
        if option:
            found.append(word[len(option) :].removeprefix("=") or next(words, ""))
    for variable in FOLDER_VARIABLES:
        found += filter(None, os.environ.get(variable, "").split(os.pathsep))
    return list(dict.fromkeys(os.path.join(folder, name) for name in found))  # noqa: PTH118 (Path is too slow for this)


def arch(platform: str) -> str:
    """The chip family in capitals, for CHIPHOST_ARCH_...; raises SceneError (PLATFORM_UNKNOWN)."""
    if found := runtimes.arch_of(platform):
        return found.upper()
    known = runtimes.platforms()
    hint = f"programs can be compiled for {', '.join(known)}"
    guess = did_you_mean(platform, known)
    raise make_error("PLATFORM_UNKNOWN", f"there is no platform {platform!r}", hint=hint, guess=guess)


def _expanded(command: Iterable[str], folder: Path, depth: int = 8) -> Iterator[str]:
    """The words of a command as the preprocessor gets them, with the words of the files that it names by @file."""
    for word in command:
        if word.startswith("-Wp,"):
            yield from word.split(",")[1:]
        elif word.startswith("@") and depth:  # a limit, for files that name each other
            with contextlib.suppress(OSError, ValueError):
                yield from _expanded(shlex.split((folder / word[1:]).read_text()), folder, depth - 1)
        elif word not in ("-Xpreprocessor", "-Xclang"):
            yield word


def _candidates() -> Iterator[Candidate]:
    search = os.environ.get("PATH", "")
    if cxx := os.environ.get("CXX", "").strip():
        yield _look_at("CXX", cxx, search)
        return
    for name in _DEFAULTS:
        yield _look_at("PATH", name, search)


def look_at(origin: Origin, wanted: str) -> Candidate:
    """The candidate at one place, which is a program's path or name, or the words that start it."""
    return _look_at(origin, wanted, os.environ.get("PATH", ""))


def _look_at(origin: Origin, wanted: str, search: str) -> Candidate:
    try:
        # A path with spaces is one word; anything else is split as a shell would: CXX="ccache g++".
        words = [wanted] if shutil.which(wanted, path=search) else shlex.split(wanted)
    except ValueError as error:
        return Candidate(origin, wanted, None, f"it cannot be split into words ({error})")
    program = shutil.which(words[0], path=search) if words else None
    if program is None:
        return Candidate(
            origin, wanted, None, "not on PATH" if origin == "PATH" else "it is no program and not on PATH"
        )
    program = str(Path(program).absolute())
    files = [path for word in words if (path := shutil.which(word, path=search))]
    try:
        compiler = _probe((program, *words[1:]), search, tuple(map(_stamp, files)))
    except (OSError, subprocess.SubprocessError) as error:
        return Candidate(origin, wanted, None, f"it does not answer: {error}")
    if compiler is None:
        return Candidate(origin, wanted, None, "it is neither g++ nor clang++")
    return Candidate(origin, wanted, compiler, "")


def _stamp(file: str) -> tuple[str, int, int]:
    resolved = Path(file).resolve()
    status = resolved.stat()
    return (str(resolved), status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _probe(command: tuple[str, ...], search: str, stamps: tuple[tuple[str, int, int], ...]) -> Compiler | None:
    """Ask the compiler who it is. `search`, the PATH, is an argument for the memo: a script may call others by name."""
    version_text, target = _ask(command, "--version"), _ask(command, "-dumpmachine").strip()
    family = _family(version_text)
    if family is None or not re.fullmatch(r"\w+(-[\w.]+)+", target):
        return None
    number = re.search(r"\d+\.\d+(\.\d+)?", re.sub(r"\(.*?\)", "", version_text))
    identity = hashlib.sha256(repr((command[1:], stamps, version_text, target)).encode()).hexdigest()
    return Compiler(command, Path(command[0]), family, number[0] if number else "unknown", target, identity)


def _ask(command: tuple[str, ...], option: str) -> str:
    # This uses the C locale, so that one compiler has one identity in every language.
    answer = subprocess.run(
        [*command, option],
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=_PROBE_TIMEOUT_S,
        env={**os.environ, "LC_ALL": "C"},
    )
    return answer.stdout.decode(errors="replace")


def _family(version_text: str) -> Family | None:
    # g++ tells the name by which it is called, which may be any name. (All GNU programs do; the others have no target.)
    if "clang" in version_text:
        return "clang"
    return "gcc" if "Free Software Foundation" in version_text else None

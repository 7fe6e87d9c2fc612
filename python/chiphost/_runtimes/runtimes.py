# SPDX-License-Identifier: Apache-2.0
"""The runtimes that are installed, and the platforms they are for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from .._system import home
from .._text.suggestion import did_you_mean
from ..errors import SceneError, make_error
from . import installation
from .platforms import Platform, platform_files, read_platform

_PROGRAMS: Final = ("host", "aicpu", "aicore")


@dataclass(frozen=True)
class RuntimeFiles:
    """The three programs of a runtime on a platform."""

    host: Path
    aicpu: Path
    aicore: Path


def library_dir() -> Path:
    """The folder with the built programs: the package's own, or CHIPHOST_LIB_DIR."""
    override = os.environ.get("CHIPHOST_LIB_DIR")
    return _expanded(override, "CHIPHOST_LIB_DIR") if override else _own_library_dir()


@lru_cache
def _own_library_dir() -> Path:
    return installation.folder("lib", "chiphost_anchor.so")


def where_looked(library: Path | None = None) -> str:
    """The folders in which runtimes are looked for, and the variables that chose them: for messages."""
    folder = library or library_dir()
    words = str(folder)
    if library is None and os.environ.get("CHIPHOST_LIB_DIR"):
        is_folder = os.path.isdir(folder)  # noqa: PTH112 - also of a name that no folder can have
        words += f" (CHIPHOST_LIB_DIR){'' if is_folder else ', which is no folder'}"
    further = ", ".join(map(str, further_dirs()))
    return f"{further} (CHIPHOST_RUNTIME_PATH), {words}" if further else words


def further_dirs() -> list[Path]:
    """The folders with runtimes of other projects, as CHIPHOST_RUNTIME_PATH names them: separated as in PATH."""
    names = os.environ.get("CHIPHOST_RUNTIME_PATH", "").split(os.pathsep)
    return [_expanded(name, "CHIPHOST_RUNTIME_PATH") for name in names if name]


def _expanded(name: str, variable: str) -> Path:
    try:
        return home.expanded(name)
    except RuntimeError as error:
        message = f"nobody knows what ~ stands for in {name!r}: {error}"
        raise make_error("INVALID_ARGUMENT", message, variable, hint="write the whole path") from error


def platforms(library: Path | None = None) -> dict[str, str]:
    """All platforms by name, each with a description: chiphost's own, then those that were built besides.

    The description of one that cannot be used, because its file does not describe it, says what is wrong.
    """
    return {
        name: about.description if isinstance(about, Platform) else f"{about.where}: {about.message}"
        for name, about in _descriptions(library)
    }


@lru_cache
def own_platforms() -> dict[str, Platform]:
    """chiphost's own, simulated ones first. They are described in the package, whatever CHIPHOST_LIB_DIR says."""
    found = {}
    for name, file in platform_files([_own_library_dir()]).items():
        with contextlib.suppress(SceneError):  # it is told with the further ones
            found[name] = read_platform(file)
    return dict(sorted(found.items(), key=lambda item: (item[1].real, item[0])))


def real_chips(library: Path | None = None) -> dict[str, Platform]:
    """The platforms that run on a chip, by name: chiphost's own, then those that were built besides."""
    return {name: about for name, about in _descriptions(library) if isinstance(about, Platform) and about.real}


def simulated_chip(arch: str) -> str | None:
    """The platform that simulates a chip family, chiphost's own before others; None if there is none."""
    known = ((name, about) for name, about in _descriptions() if isinstance(about, Platform))
    return next((name for name, about in known if about.arch == arch and not about.real), None)


def described(platform: str, library: Path | None = None) -> Platform | None:
    """The description of a platform; None if there is no such platform. Raises SceneError if its file is wrong."""
    if platform in own_platforms():
        return own_platforms()[platform]
    file = _further_platforms(library).get(platform)
    return read_platform(file) if file else None


def arch_of(platform: str) -> str | None:
    """The chip family of a platform, such as "a2a3"; None if there is no such platform."""
    about = described(platform)
    return about.arch if about else None


def is_real_chip(platform: str, library: Path | None = None) -> bool:
    """True if the programs of a platform run on a chip; False also if there is no such platform."""
    about = described(platform, library)
    return about is not None and about.real


def is_cross_compiled(platform: str) -> bool:
    """True if the programs of a platform are for other processors; False also if there is no such platform."""
    about = described(platform)
    return about is not None and about.cross_compiled


def suites(library: Path | None = None) -> dict[str, Path]:
    """The platforms that were built with the conformance suite, each with the folder of its suite."""
    found: dict[str, Path] = {}
    for root in search(library):
        for program in root.glob("*/conform/conform.so"):
            found.setdefault(program.parents[1].name, program.parent)
    return found


def _found(folder: Path, pattern: str) -> list[Path]:
    """The entries of a folder, sorted; none if it is no folder, also under a name that no folder can have."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _further_platforms(library: Path | None = None) -> dict[str, Path]:
    """The file that describes each platform of another project."""
    own = own_platforms()
    return {name: file for name, file in platform_files(search(library)).items() if name not in own}


def _descriptions(library: Path | None = None) -> Iterator[tuple[str, Platform | SceneError]]:
    """Every platform by name, with its description or the error in that: chiphost's own first."""
    yield from own_platforms().items()
    for name, file in _further_platforms(library).items():
        try:
            yield name, read_platform(file)
        except SceneError as error:
            yield name, error


def anchor_path() -> str:
    """The library every linker namespace begins with."""
    return _anchor_path(os.environ.get("CHIPHOST_LIB_DIR"))


def child_path() -> str:
    """The program of child processes."""
    return _child_path(os.environ.get("CHIPHOST_LIB_DIR"))


@lru_cache
def _child_path(library: str | None) -> str:
    return str(library_dir() / "chiphost_child")


@lru_cache
def _anchor_path(library: str | None) -> str:
    return str(library_dir() / "chiphost_anchor.so")


def installed(library: Path | None = None) -> dict[str, list[str]]:
    """Names of the runtimes that are complete, by platform: those in `library`, or the installed ones."""
    found: dict[str, list[str]] = {}
    for platform, about in _descriptions(library):
        # A runtime for other processors may lack device programs: opening the device says which compiler was missing.
        may_lack_some = isinstance(about, Platform) and about.cross_compiled
        programs = _PROGRAMS[:1] if may_lack_some else _PROGRAMS
        hosts = {host.parent for folder in search(library) for host in _found(folder / platform, "*/host.so")}
        complete = {path.name for path in hosts if all((path / f"{program}.so").is_file() for program in programs)}
        found[platform] = sorted(complete)
    return found


def runs_on(platform: str, names: Collection[str]) -> bool:
    """True if something for the platforms `names` is for this one.

    The simulated chip of a family stands for all of the family: a real chip, or one of another project, runs everything
    that it runs.
    """
    return platform in names or f"{arch_of(platform)}sim" in names


def check_platform(platform: str, library: Path | None = None) -> str:
    """Return the name; raise SceneError for one that is unknown, or that its file does not describe."""
    if isinstance(platform, str) and described(platform, library):
        return platform
    known = [*own_platforms(), *_further_platforms(library)]
    message = f"wanted one of {', '.join(known)}; found {platform!r}"
    if not known:
        message = f"none is installed; looked in {where_looked(library)}"
    raise make_error("PLATFORM_UNKNOWN", message, "platform", guess=did_you_mean(platform, known))


def check_any(platform: str, library: Path | None = None) -> None:
    """Raise SceneError (RUNTIME_UNKNOWN) if there is no runtime at all for a platform."""
    if not installed(library)[check_platform(platform, library)]:
        message = f"none is installed; looked in {where_looked(library)}"
        raise make_error("RUNTIME_UNKNOWN", message, f"runtimes for {platform}", hint=_runtime_hint())


def may_have(runtime: str, platform: str, library: Path | None = None) -> bool:
    """False if a platform of another project is built without a runtime.

    chiphost's own platforms have all runtimes: if one is missing there, `find` raises an error.
    """
    return platform in own_platforms() or _first_files(runtime, platform, library) is not None


def find(runtime: str, platform: str, library: Path | None = None) -> RuntimeFiles:
    """The programs of a runtime by its name, in `library` or installed; raises SceneError if there are none."""
    files = _first_files(runtime, check_platform(platform, library), library)
    if files is None:
        names = installed(library)[platform]
        raise make_error(
            "RUNTIME_UNKNOWN",
            f"wanted one of {', '.join(names) or '(none is installed)'}; found {runtime!r}; "
            f"looked in {where_looked(library)}",
            f"runtime for {platform}",
            hint=_runtime_hint(),
            guess=did_you_mean(runtime, names),
        )
    return files


def _first_files(runtime: str, platform: str, library: Path | None) -> RuntimeFiles | None:
    chosen = (os.environ.get("CHIPHOST_LIB_DIR"), os.environ.get("CHIPHOST_RUNTIME_PATH"), library)
    places = _places(chosen, platform, runtime)
    return next((files for files in places if os.path.isfile(files.host)), None)  # noqa: PTH113 - on every init's way


def _runtime_hint() -> str:
    """The remedy for a runtime that is not found. It names those variables that are not set."""
    hint = "chiphost doctor shows the runtimes that are installed"
    if not further_dirs():
        hint += "; name the folder of one that you built in CHIPHOST_RUNTIME_PATH"
    return f"{hint}; unset CHIPHOST_LIB_DIR to use chiphost's own" if os.environ.get("CHIPHOST_LIB_DIR") else hint


# The memo holds names only: files on the disk change while a process lives, as runtimes are built and deleted.
@lru_cache
def _places(chosen: tuple[str | None, str | None, Path | None], platform: str, runtime: str) -> list[RuntimeFiles]:
    """The places where the files may be, best first. `chosen` is for the memo."""
    folders = [folder / platform / runtime for folder in search(chosen[2])]
    return [RuntimeFiles(*(folder / f"{program}.so" for program in _PROGRAMS)) for folder in folders]


def search(library: Path | None = None) -> list[Path]:
    """The folders in which runtimes are looked for, in order: further ones may have the name of one of chiphost's."""
    return [*further_dirs(), library or library_dir()]

# SPDX-License-Identifier: Apache-2.0
"""The runtimes that are installed, and the platforms they are for."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from . import installation
from .errors import make_error

# chiphost's own platforms, with what they are. "sim" runs in this process, "onboard" on the chip.
PLATFORMS: Final[dict[str, str]] = {
    "a2a3sim": "Ascend 910B/C, simulated",
    "a5sim": "Ascend 950, simulated",
}
_ARCHS: Final = {"a2a3sim": "a2a3", "a5sim": "a5"}
_ABOUT: Final = "platform.json"  # written by chiphost_add_runtime of the CMake package
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
    return Path(override).expanduser() if override else _own_library_dir()


@lru_cache
def _own_library_dir() -> Path:
    return installation.folder("lib", "chiphost_anchor.so")


def where_looked(library: Path | None = None) -> str:
    """The folder in which runtimes are looked for, and what chose it: for messages."""
    folder = library or library_dir()
    if library is None and os.environ.get("CHIPHOST_LIB_DIR"):
        return f"{folder} (CHIPHOST_LIB_DIR){'' if folder.is_dir() else ', which is no folder'}"
    return os.pathsep.join(map(str, [*further_dirs(), folder]))


def further_dirs() -> list[Path]:
    """The folders with runtimes of other projects, as CHIPHOST_RUNTIME_PATH names them: separated as in PATH."""
    names = os.environ.get("CHIPHOST_RUNTIME_PATH", "").split(os.pathsep)
    return [Path(name).expanduser() for name in names if name]


def platforms() -> dict[str, str]:
    """All platforms by name, with what they are: chiphost's own and those of other projects."""
    return PLATFORMS | {name: about["description"] for name, about in _further_platforms().items()}


def arch_of(platform: str) -> str | None:
    """The chip family of a platform, such as "a2a3"; None if there is no such platform."""
    own = _ARCHS.get(platform)
    return own or _further_platforms().get(platform, {}).get("arch")


def _further_platforms() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for folder in further_dirs():
        for file in sorted(folder.glob(f"*/{_ABOUT}")):
            about = json.loads(file.read_text())
            if file.parent.name not in PLATFORMS and isinstance(about.get("arch"), str):
                found.setdefault(file.parent.name, about)
    return found


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
    for platform in platforms():
        folders = [folder / platform for folder in _search(library)]
        hosts = {host.parent for folder in folders for host in folder.glob("*/host.so")}
        complete = {path.name for path in hosts if all((path / f"{program}.so").is_file() for program in _PROGRAMS)}
        found[platform] = sorted(complete)
    return found


def check_platform(platform: str) -> str:
    """Return the name; raise SceneError for one that is unknown."""
    if not isinstance(platform, str) or (platform not in PLATFORMS and platform not in platforms()):
        raise make_error("PLATFORM_UNKNOWN", f"wanted one of {', '.join(platforms())}; found {platform!r}", "platform")
    return platform


def check_any(platform: str, library: Path | None = None) -> None:
    """Raise SceneError (RUNTIME_UNKNOWN) if there is no runtime at all for a platform."""
    if not installed(library)[check_platform(platform)]:
        message = f"none is installed; looked in {where_looked(library)}"
        hint = "name the folder of the built runtimes in CHIPHOST_LIB_DIR, or unset it"
        raise make_error("RUNTIME_UNKNOWN", message, f"runtimes for {platform}", hint=hint)


def find(runtime: str, platform: str, library: Path | None = None) -> RuntimeFiles:
    """The programs of a runtime by its name, in `library` or installed; raises SceneError if there are none."""
    chosen = (os.environ.get("CHIPHOST_LIB_DIR"), os.environ.get("CHIPHOST_RUNTIME_PATH"), library)
    files = _files(chosen, check_platform(platform), runtime)
    if not os.path.isfile(files.host):  # noqa: PTH113 - this is on the way of every init
        names = installed(library)[platform]
        raise make_error(
            "RUNTIME_UNKNOWN",
            f"wanted one of {', '.join(names) or '(none is installed)'}; found {runtime!r}; "
            f"looked in {where_looked(library)}",
            f"runtime for {platform}",
            hint=None if names else "name the folder of the built runtimes in CHIPHOST_LIB_DIR, or unset it",
        )
    return files


@lru_cache
def _files(chosen: tuple[str | None, str | None, Path | None], platform: str, runtime: str) -> RuntimeFiles:
    """The files in the first folder that has them, or else where they would be. `chosen` is for the memo."""
    folders = [folder / platform / runtime for folder in _search(chosen[2])]
    folder = next((folder for folder in folders if (folder / "host.so").is_file()), folders[-1])
    return RuntimeFiles(*(folder / f"{program}.so" for program in _PROGRAMS))


def _search(library: Path | None) -> list[Path]:
    """Where runtimes are looked for, in this order: further ones may have the name of one of chiphost's."""
    return [*further_dirs(), library or library_dir()]

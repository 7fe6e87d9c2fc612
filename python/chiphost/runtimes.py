# SPDX-License-Identifier: Apache-2.0
"""The runtimes that are installed, and the platforms they are for."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from .errors import make_error

# Platforms chiphost knows, with what they are. "sim" runs in this process, "onboard" on the chip.
PLATFORMS: Final[dict[str, str]] = {
    "a2a3sim": "Ascend 910B/C, simulated",
    "a5sim": "Ascend 950, simulated",
    "a2a3": "Ascend 910B/C",
    "a5": "Ascend 950",
}
# The real chips among them, with the simulated platform that runs the same programs.
ONBOARD: Final[dict[str, str]] = {"a2a3": "a2a3sim", "a5": "a5sim"}
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
    return Path(override).expanduser() if override else Path(__file__).parent / "lib"


def where_looked(library: Path | None = None) -> str:
    """The folder in which runtimes are looked for, and what chose it: for messages."""
    folder = library or library_dir()
    if library is None and os.environ.get("CHIPHOST_LIB_DIR"):
        return f"{folder} (CHIPHOST_LIB_DIR){'' if folder.is_dir() else ', which is no folder'}"
    return str(folder)


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
    for platform in PLATFORMS:
        folder = (library or library_dir()) / platform
        names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        # Those of a real chip may lack device programs: opening the device says which compiler was missing.
        programs = _PROGRAMS[:1] if platform in ONBOARD else _PROGRAMS
        found[platform] = [name for name in names if all((folder / name / f"{p}.so").is_file() for p in programs)]
    return found


def runs_on(platform: str, names: Collection[str]) -> bool:
    """Whether what is for the platforms `names` is for this one: a real chip runs what its simulation runs."""
    return platform in names or ONBOARD.get(platform) in names


def check_platform(platform: str) -> str:
    """Return the name; raise SceneError for one that is unknown."""
    if not isinstance(platform, str) or platform not in PLATFORMS:
        raise make_error("PLATFORM_UNKNOWN", f"wanted one of {', '.join(PLATFORMS)}; found {platform!r}", "platform")
    return platform


def check_any(platform: str, library: Path | None = None) -> None:
    """Raise SceneError (RUNTIME_UNKNOWN) if there is no runtime at all for a platform."""
    if not installed(library)[check_platform(platform)]:
        message = f"none is installed; looked in {where_looked(library)}"
        hint = "name the folder of the built runtimes in CHIPHOST_LIB_DIR, or unset it"
        raise make_error("RUNTIME_UNKNOWN", message, f"runtimes for {platform}", hint=hint)


def find(runtime: str, platform: str, library: Path | None = None) -> RuntimeFiles:
    """The programs of a runtime by its name, in `library` or installed; raises SceneError if there are none."""
    chosen = os.environ.get("CHIPHOST_LIB_DIR") if library is None else str(library)
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
def _files(library: str | None, platform: str, runtime: str) -> RuntimeFiles:
    folder = (Path(library).expanduser() if library else library_dir()) / platform / runtime
    return RuntimeFiles(*(folder / f"{program}.so" for program in _PROGRAMS))

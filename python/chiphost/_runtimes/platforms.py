# SPDX-License-Identifier: Apache-2.0
"""The description of a platform, which is known before one of its programs is loaded: CMake writes platform.json."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..errors import ChiphostError, make_error

FILE: Final = "platform.json"  # written by chiphost_add_runtime of the CMake package
_KINDS: Final = ("simulated", "real")
_PROGRAMS: Final = ("host", "device")


@dataclass(frozen=True)
class Platform:
    """A platform, as chiphost_add_platform of the CMake package was told.

    Attributes:
        name: as users write it: "a2a3sim".
        arch: the chip family: "a2a3".
        description: what it is, in words.
        real: the programs run on a chip, and not in a simulation of one.
        cross_compiled: device programs, kernels and orchestrations are for other processors than this machine's. Device
            programs may be missing then: whoever opens the device says which compiler there was not.
        software: what must be installed for the chip, in words; empty: nothing.
        sdk_variables: the environment variables that may name the folder of that, best first.
    """

    name: str
    arch: str
    description: str
    real: bool = False
    cross_compiled: bool = False
    software: str = ""
    sdk_variables: tuple[str, ...] = ()

    def sdk_folders(self) -> list[Path]:
        """Where the environment says that the software for the chip is, best first."""
        return [Path(folder) for name in self.sdk_variables if (folder := os.environ.get(name))]


def platform_files(folders: Iterable[Path]) -> dict[str, Path]:
    """The file that describes each platform, by the platform's name. The first of one name counts."""
    found: dict[str, Path] = {}
    for folder in folders:
        try:
            described = sorted(folder.glob(f"*/{FILE}"))
        except OSError:  # also for a name that no folder can have
            continue
        for file in described:
            found.setdefault(file.parent.name, file)
    return found


def read_platform(file: Path) -> Platform:
    """The platform that a file describes. A file of an older chiphost says less: it is of a simulated platform.

    Raises SceneError (PLATFORM_UNKNOWN) that says what is wrong with the file.
    """
    try:
        about = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise _refused(file, str(error)) from error
    if not isinstance(about, dict):
        raise _refused(file, f"wanted an object of JSON, found {about!r}")
    return Platform(
        name=file.parent.name,
        arch=_text(file, about, "arch"),
        description=_text(file, about, "description"),
        real=_one_of(file, about, "kind", _KINDS) == "real",
        cross_compiled=_one_of(file, about, "programs", _PROGRAMS) == "device",
        software=_text(file, about, "software", ""),
        sdk_variables=_names(file, about, "sdk_variables"),
    )


def _text(file: Path, about: dict[str, Any], key: str, default: str | None = None) -> str:
    value = about.get(key, default)
    if not isinstance(value, str):
        raise _refused(file, f"wanted a text as {key!r}, found {_shown(about, key)}")
    return value


def _one_of(file: Path, about: dict[str, Any], key: str, words: tuple[str, ...]) -> str:
    """One of these words; the first if there is none."""
    value = about.get(key, words[0])
    if value not in words:
        raise _refused(file, f"wanted {' or '.join(words)} as {key!r}, found {_shown(about, key)}")
    return str(value)


def _names(file: Path, about: dict[str, Any], key: str) -> tuple[str, ...]:
    value = about.get(key, [])
    if not isinstance(value, list) or not all(isinstance(name, str) and name.isidentifier() for name in value):
        raise _refused(file, f"wanted a list of names as {key!r}, found {_shown(about, key)}")
    return tuple(value)


def _shown(about: dict[str, Any], key: str) -> str:
    return repr(about[key]) if key in about else "none"


def _refused(file: Path, why: str) -> ChiphostError:
    hint = "build the platform again: chiphost_add_runtime writes the file"
    return make_error("PLATFORM_UNKNOWN", f"it does not describe a platform: {why}", str(file), hint=hint)

# SPDX-License-Identifier: Apache-2.0
"""The user's folders, also for a user who has none: a container may run as a number that no file knows."""

from __future__ import annotations

import os
import pwd
import sys
import tempfile
from pathlib import Path


def folder() -> Path | None:
    """The user's own folder: HOME, else what the system says; None if neither is the absolute path of a folder."""
    named = Path(os.environ.get("HOME", ""))
    if named.is_absolute():
        return named
    try:
        own = Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None
    return own if own.is_absolute() and own.is_dir() else None


def expanded(path: str | Path) -> Path:
    """A path with what ~ stands for. Raises RuntimeError if nobody knows that."""
    parts = Path(path).parts
    if not parts or parts[0] != "~":
        return Path(path).expanduser()
    own = folder()
    if own is None:
        raise RuntimeError(f"HOME names no folder, and user {os.getuid()} has none")
    return own.joinpath(*parts[1:])


def cache_folder() -> Path:
    """Where chiphost keeps what it can make again: in the user's cache folder of this system.

    Who has no folder gets one of the own number in that for temporary files.

    Raises OSError if nothing can be made there either.
    """
    # The specification of XDG: relative paths are to be ignored.
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if chosen.is_absolute() and sys.platform != "darwin":
        return chosen / "chiphost"
    own = folder()
    if own is None:
        return Path(tempfile.gettempdir(), f"chiphost-cache-{os.geteuid()}")
    return own / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "chiphost"

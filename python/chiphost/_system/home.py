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
    """A path in which ~ is replaced. Raises RuntimeError if nobody knows the folder."""
    parts = Path(path).parts
    if not parts or parts[0] != "~":
        return Path(path).expanduser()
    own = folder()
    if own is None:
        raise RuntimeError(f"HOME names no folder, and user {os.getuid()} has none")
    return own.joinpath(*parts[1:])


def cache_folder() -> Path:
    """The folder for files that chiphost can make again: in the user's cache folder of this system.

    A user who has no folder gets one of their own number in the folder for temporary files.

    Raises OSError if nothing can be made there either.
    """
    # The specification of XDG says that relative paths are to be ignored.
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if chosen.is_absolute() and sys.platform != "darwin":
        return chosen / "chiphost"
    own = folder()
    if own is None:
        return Path(tempfile.gettempdir(), f"chiphost-cache-{os.geteuid()}")
    return own / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "chiphost"

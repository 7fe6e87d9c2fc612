# SPDX-License-Identifier: Apache-2.0
"""Folders for the temporary files of one piece of work. They go away even when the process that made them is killed.

Such a folder is locked as long as its process lives, or another process that has got the descriptor of the lock. The
first folder that a process makes removes those of this user that nobody has locked any more.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
import threading
from collections.abc import Iterator
from typing import Final, NamedTuple

from .private_folder import remove_all

_PREFIX: Final = "chiphost-work-"
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_swept: Final[set[tuple[int, str]]] = set()  # process and folder; guarded by _lock
_lock: Final = threading.Lock()


class SweptFolder(NamedTuple):
    """An absolute path, and a descriptor that keeps the folder from being swept while any process has it."""

    path: str
    lock: int


@contextlib.contextmanager
def swept_folder() -> Iterator[SweptFolder]:
    """Make a folder below the one for temporary files, and remove it at the end. For any thread.

    Raises OSError if none can be made.
    """
    parent = tempfile.gettempdir()
    _sweep_once(parent)
    made = _make(parent)
    try:
        yield made
    finally:
        # The order of removal and unlocking makes no difference to other processes that sweep.
        _remove(made.path)
        os.close(made.lock)


def _make(parent: str) -> SweptFolder:
    while True:
        path = tempfile.mkdtemp(prefix=_PREFIX, dir=parent)
        try:
            descriptor = os.open(path, _FOLDER)
        except FileNotFoundError:
            continue  # another process swept it before it was locked
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                os.close(descriptor)
                raise
            # A file system without locks: no process sweeps there.
        if os.fstat(descriptor).st_nlink:
            return SweptFolder(path, descriptor)
        os.close(descriptor)


def _sweep_once(parent: str) -> None:
    with _lock:
        key = (os.getpid(), parent)
        if key in _swept:
            return
        _swept.add(key)
    with contextlib.suppress(OSError):
        within = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in os.listdir(within):  # noqa: PTH208 (a descriptor)
                if name.startswith(_PREFIX):
                    _sweep(name, within)
        finally:
            os.close(within)


def _sweep(name: str, within: int) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(name, _FOLDER, dir_fd=within)
        try:
            if os.fstat(descriptor).st_uid != os.geteuid():
                return
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_all(name, within)
        finally:
            os.close(descriptor)


def _remove(path: str) -> None:
    parent, name = os.path.split(path)
    with contextlib.suppress(OSError):
        within = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            remove_all(name, within)
        finally:
            os.close(within)

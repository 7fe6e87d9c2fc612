# SPDX-License-Identifier: Apache-2.0
"""A folder that nobody but this user can have put anything in.

Its files are loaded and run, so it is used as it was when it was checked: through descriptors, from the root of the
file system down. A path that is looked up anew each time can lead elsewhere by then, if another user may write to a
folder on the way.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import secrets
import stat
import time
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

_O_SEARCH: Final = getattr(os, "O_PATH", os.O_RDONLY)  # for a folder that may be passed through and not listed
_FOLDER: Final = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # a pipe keeps nobody waiting
# Errors of opening a link, a folder, a socket, or anything that is no folder.
_OTHER_KINDS: Final = (errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.ENXIO)
_LINKS_MAX: Final = 40  # equal to the system's own limit
_ROOT: Final = 0
# Folders that belong to root on any system. A user namespace may show them as another user's.
_OF_ROOT: Final = frozenset(
    ("/", "/dev", "/dev/shm", "/home", "/run", "/run/user", "/tmp", "/var", "/var/cache", "/var/tmp")
)
# The beginnings of names: of files that are not complete yet, and of entries that were moved aside to be removed.
TEMPORARY: Final = ".tmp-"
ASIDE: Final = ".cleared-"


class NotPrivate(PermissionError):
    """Another user can exchange the folder or what is in it: `reason` says how, `filename` where."""

    def __init__(self, where: str, reason: str) -> None:
        """Name the place and the reason."""
        super().__init__(errno.EPERM, reason, where)
        self.reason: Final = reason


class Entry(NamedTuple):
    """A file below a folder: the folders to go through and its name, and its result of `lstat`."""

    place: tuple[str, ...]
    status: os.stat_result

    @property
    def name(self) -> str:
        """The last part of the place."""
        return self.place[-1]


class PrivateFolder:
    """An open folder, checked when it was opened. A context manager; for any thread.

    A place is the names of folders below this one, then that of a file. No link is followed on the way. Methods raise
    NotPrivate for a folder on the way that others can write to, and other OSErrors that mean that the disk or the
    system refuses.
    """

    def __init__(self, descriptor: int, path: str) -> None:
        """Own the descriptor. `path` is for messages."""
        self._descriptor = descriptor
        self._path = path

    def __enter__(self) -> PrivateFolder:
        """Keep it open."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        os.close(self._descriptor)

    def status(self, *place: str) -> os.stat_result | None:
        """The result of `lstat` for an entry; None if there is none."""
        with self._folder_of(place) as folder:
            return None if folder is None else _status(place[-1], folder)

    def read(self, *place: str, touched_s: float) -> bytes | None:
        """A file's content; None if there is no regular file of this user.

        Its time becomes now if it is older than `touched_s`.
        """
        with self._folder_of(place) as folder:
            if folder is None:
                return None
            descriptor = _open_if_there(place[-1], os.O_RDONLY | _FILE, folder)
            if descriptor is None:
                return None
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                os.close(descriptor)
                return None
            with os.fdopen(descriptor, "rb") as file:
                if time.time() - status.st_mtime > touched_s:
                    with contextlib.suppress(OSError):
                        os.utime(descriptor)
                return file.read()

    def write(self, *place: str, data: bytes) -> None:
        """Make a file or put another in its place, all at once: readers see all of it or none.

        Until then its name begins with TEMPORARY. If something of another kind is in the way, of the file or of a
        folder, it is moved aside. Raises FileNotFoundError if a folder is removed meanwhile.
        """
        with self._folder_of(place, make=True) as folder:
            assert folder is not None
            name = f"{TEMPORARY}{secrets.token_hex(8)}"
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o600, dir_fd=folder)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                try:
                    os.replace(name, place[-1], src_dir_fd=folder, dst_dir_fd=folder)
                except IsADirectoryError:
                    self._move_aside(place[-1], folder)
                    os.replace(name, place[-1], src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=folder)
                raise

    def open_to_lock(self, *place: str) -> int | None:
        """A descriptor of a file, made if it is missing; None if something else is in its place. The caller must close
        it.

        Raises FileNotFoundError as `write` does.
        """
        with self._folder_of(place, make=True) as folder:
            assert folder is not None
            try:
                descriptor = os.open(place[-1], os.O_RDWR | os.O_CREAT | _FILE, 0o600, dir_fd=folder)
            except OSError as error:
                if error.errno in _OTHER_KINDS:
                    return None
                raise
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return descriptor
            os.close(descriptor)
            return None

    def remove(self, *place: str) -> None:
        """Remove an entry that is no folder, if it is there."""
        with self._folder_of(place) as folder:
            if folder is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(place[-1], dir_fd=folder)

    def move_aside(self, name: str) -> None:
        """Rename an entry of this folder, if it is there, so that it is removed with others that are aside."""
        self._move_aside(name, self._descriptor)

    def remove_what_is_aside(self) -> None:
        """Remove everything that was moved aside, with its content, as far as that can be done."""
        for name in os.listdir(self._descriptor):  # noqa: PTH208 (a descriptor)
            if name.startswith(ASIDE):
                remove_all(name, self._descriptor)

    def walk(self, *place: str) -> Iterator[Entry]:
        """Every entry below a folder that is no folder. Entries that others remove meanwhile are left out."""
        with self._folder_of((*place, "")) as folder:
            if folder is None:
                return
            for path, _, files, within in os.fwalk(".", dir_fd=folder):
                parents = PurePosixPath(path).parts
                for name in files:
                    if status := _status(name, within):
                        yield Entry((*place, *parents, name), status)

    @contextlib.contextmanager
    def _folder_of(self, place: tuple[str, ...], *, make: bool = False) -> Iterator[int | None]:
        """A descriptor of the folder of an entry; None if it does not exist and is not to be made."""
        current: int | None = os.dup(self._descriptor)
        try:
            path = self._path
            for name in place[:-1]:
                assert current is not None
                if make:
                    self._make_folder(name, current)
                path = f"{path}/{name}"
                below = _open_if_there(name, os.O_RDONLY | _FOLDER, current)
                os.close(current)
                current = below
                if below is None:
                    if make:
                        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
                    break
                _check_own(os.fstat(below), path)
            yield current
        finally:
            if current is not None:
                os.close(current)

    def _make_folder(self, name: str, within: int) -> None:
        status = _status(name, within)
        if status and not stat.S_ISDIR(status.st_mode):
            self._move_aside(name, within)
            status = None
        if status is None:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=within)

    def _move_aside(self, name: str, within: int) -> None:
        new = f"{ASIDE}{os.getpid()}-{secrets.token_hex(8)}"
        with contextlib.suppress(FileNotFoundError):
            os.rename(name, new, src_dir_fd=within, dst_dir_fd=self._descriptor)


def open_private_folder(path: Path, *, make: bool = False) -> PrivateFolder | None:
    """Open an absolute path, and check it and every folder and link on the way.

    `make`: missing folders are made, for this user only. Returns None if the folder is missing and not to be made.

    Raises:
        NotPrivate: it is no folder of this user's, or others may write to it; a folder on the way belongs to another
            user than this one and root, or others may exchange what is in it; a link on the way is another user's. Of
            users that a user namespace does not have, nobody can tell which is root: only the system's own folders,
            such as / and /tmp, may be theirs.
        OSError: the system refuses.
    """
    waiting = deque(path.parts[1:])
    links = 0
    where = "/"
    current = os.open(where, _O_SEARCH | _FOLDER)
    try:
        while waiting:
            _check_on_the_way(os.fstat(current), where)
            name = waiting.popleft()
            status = _status(name, current)
            if status is None:
                if not make:
                    return None
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=current)
                waiting.appendleft(name)
                continue
            there = f"{where.rstrip('/')}/{name}"
            if stat.S_ISLNK(status.st_mode):
                if not _is_trusted(status.st_uid):
                    raise NotPrivate(there, f"the link {there} belongs to {_named(status.st_uid)}")
                links += 1
                if links > _LINKS_MAX:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), there)
                target = PurePosixPath(os.readlink(name, dir_fd=current))
                waiting.extendleft(reversed(target.parts[1:] if target.is_absolute() else target.parts))
                if not target.is_absolute():
                    continue
                name = there = "/"
            if not waiting and not stat.S_ISDIR(status.st_mode) and name != "/":
                raise NotPrivate(there, "it is not a folder")
            try:
                below = os.open(name, (_O_SEARCH if waiting else os.O_RDONLY) | _FOLDER, dir_fd=current)
            except FileNotFoundError:  # removed meanwhile
                waiting.appendleft(name)
                continue
            os.close(current)
            current, where = below, there
        _check_own(os.fstat(current), where)
        return PrivateFolder(os.dup(current), str(path))
    finally:
        os.close(current)


def _check_own(status: os.stat_result, path: str) -> None:
    if not _is_own(status.st_uid):
        raise NotPrivate(path, f"it belongs to {_named(status.st_uid)}, and you are user {os.geteuid()}")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise NotPrivate(path, f"others may write to it (its mode is {stat.S_IMODE(status.st_mode):04o})")


def _check_on_the_way(status: os.stat_result, path: str) -> None:
    of_root = status.st_uid == _outsider() and path in _OF_ROOT
    if not of_root and not _is_trusted(status.st_uid):
        reason = f"{path}, a folder above it, belongs to {_named(status.st_uid)}, who could exchange what is in it"
        raise NotPrivate(path, reason)
    by_all = status.st_mode & stat.S_IWOTH
    by_group = status.st_mode & stat.S_IWGRP and not _is_own_group(status.st_gid)
    # In a folder such as /tmp everybody renames and removes only their own entries.
    if (by_all or by_group) and not status.st_mode & stat.S_ISVTX:
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        raise NotPrivate(path, f"others may write to {path}, a folder above it, and exchange it (its mode is {mode})")


def _is_trusted(user: int) -> bool:
    return user == _ROOT or _is_own(user)


def _is_own(user: int) -> bool:
    return user == os.geteuid() and user != _outsider()


def _named(user: int) -> str:
    return f"user {user}" + (", as this user namespace shows all whom it does not have" if user == _outsider() else "")


@lru_cache(maxsize=1)
def _outsider() -> int | None:
    """The number by which a user namespace shows users that it does not have; None if it has that number as well."""
    try:
        shown = int(Path("/proc/sys/kernel/overflowuid").read_text())
        ranges = [list(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    except (OSError, ValueError):
        return None
    return None if any(first <= shown < first + count for first, _, count in ranges) else shown


@lru_cache(maxsize=16)
def _is_own_group(group: int) -> bool:
    """True if a group has no other member than this user, as where each user has a group of the same name.

    Members are the users that the group names, and those whose own group it is.
    """
    own = os.geteuid()
    try:
        user = pwd.getpwuid(own)
        found = grp.getgrgid(group)
    except KeyError:
        return False
    if group != user.pw_gid or found.gr_name != user.pw_name or not set(found.gr_mem) <= {user.pw_name}:
        return False
    return all(other.pw_uid == own for other in pwd.getpwall() if other.pw_gid == group)


def _status(name: str, within: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=within, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _open_if_there(name: str, flags: int, within: int) -> int | None:
    try:
        return os.open(name, flags, dir_fd=within)
    except OSError as error:
        if error.errno == errno.ENOENT or error.errno in _OTHER_KINDS:
            return None
        raise


def remove_all(name: str, within: int) -> None:
    """Remove an entry of an open folder, with all that is in it, as far as that can be done."""
    status = _status(name, within)
    if status is None:
        return
    if not stat.S_ISDIR(status.st_mode):
        _remove_one(name, within)  # os.fwalk would open it, and wait for the other end of a pipe
        return
    with contextlib.suppress(OSError):  # another process may have been faster
        for _, folders, files, descriptor in os.fwalk(name, topdown=False, dir_fd=within):
            for each in (*files, *folders):
                _remove_one(each, descriptor)
    _remove_one(name, within)


def _remove_one(name: str, within: int) -> None:
    for remove in (os.unlink, os.rmdir):
        with contextlib.suppress(OSError):
            remove(name, dir_fd=within)

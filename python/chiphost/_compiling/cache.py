# SPDX-License-Identifier: Apache-2.0
"""A folder of compiled programs, found by a digest of their sources and commands.

A look-up has two levels. The first key is a digest over the source and the command; it names a manifest. A manifest
lists records: a set of headers with their digests, and the digest of the program that came out when the headers were
like that. The program lies in a file that is named for the digest of its bytes. A look-up therefore runs no
preprocessor.

    <root>/v1/manifests/ab/abcd...   digest of the rest, newline, records as JSON
    <root>/v1/objects/12/1234...     a shared library
    <root>/v1/locks/abcd...          its holder compiles this key; see `CompileCache.lock`
    <root>/v1/pruned                 its time says when the cache was last pruned

Files appear by renaming, so that a reader sees all of a file or none of it. A file that a killed writer or a bad disk
has damaged is found out by its digest: the look-up is a miss, and the file is written again. Nothing relies on locks.

`headers` decides what a record says; docs/compile-cache.md lists what a record does not see.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from .._system import home
from .._system.private_folder import TEMPORARY, Entry, NotPrivate, PrivateFolder, open_private_folder
from ..errors import ChiphostError, make_error
from .headers import Record, Request, Snapshot, decode, encode, file_digest, is_current, is_same_case, observe

_FORMAT: Final = "v1"  # a new name whenever keys, manifests or records change their meaning
_RECORDS_MAX: Final = 32  # per manifest; the oldest go first
_HOUR_S: Final = 3600.0
_DAY_S: Final = 24 * _HOUR_S
_ATTEMPTS: Final = 20  # to write where others remove folders meanwhile
_FULL_HINT: Final = "make room there, or name a folder on another disk in CHIPHOST_CACHE_DIR"


class CompiledFile(NamedTuple):
    """The bytes of a file that a compiler wrote, such as a library or a compiled header, and their sha256 in hex."""

    data: bytes
    digest: str

    @classmethod
    def of(cls, data: bytes) -> CompiledFile:
        """The file with these bytes."""
        return cls(data, hashlib.sha256(data).hexdigest())


@dataclass(frozen=True)
class CacheStats:
    """The content of a cache: number of programs, bytes of all its files, and the limit in bytes for pruning."""

    root: Path
    programs: int
    size_bytes: int
    size_bytes_max: int


class CompileCache:
    """The cache in one folder. Any number of threads and processes may use the same folder at the same time.

    Every method raises CacheError (CACHE_UNUSABLE) when the folder cannot be used: it belongs to another user, others
    may write to it or exchange it, the disk is full, and so on. A folder that does not exist yet is made on the first
    `store`, for its owner only.
    """

    def __init__(
        self, root: Path | None = None, *, size_bytes_max: int = 2 << 30, unused_s_max: float = 14 * _DAY_S
    ) -> None:
        """Choose the folder: `root`, else $CHIPHOST_CACHE_DIR, else the user's cache folder of this system.

        A relative path starts at the working folder at this moment.

        Once a day `store` removes programs that nobody used for `unused_s_max` seconds. Then it removes those unused
        for longest until the rest fits into `size_bytes_max`.
        """
        try:
            chosen = root or os.environ.get("CHIPHOST_CACHE_DIR") or home.cache_folder()
        except OSError as error:
            message = f"you have no home folder, nor one for temporary files (TMPDIR): {error.strerror}"
            raise _unusable(Path(os.environ.get("TMPDIR", "")), message) from error
        try:
            self.root: Final = home.expanded(chosen).absolute()
        except RuntimeError as error:
            raise _unusable(Path(chosen), f"nobody knows what ~ stands for here: {error}") from error
        except OSError as error:
            raise _unusable(Path(chosen), f"it starts at the working folder, and that is gone: {error}") from error
        self._size_bytes_max = size_bytes_max
        self._unused_s_max = unused_s_max

    def request(self, source: Path, facts: Iterable[str]) -> Request:
        """Describe a compile of `source` (absolute): `facts` is all that decides the result, except files' contents.

        Raises OSError when the source cannot be read.
        """
        digest = file_digest(str(source))
        key = hashlib.sha256(json.dumps([_FORMAT, str(source), digest, *facts]).encode()).hexdigest()
        return Request(str(source), digest, key)

    def look_up(self, request: Request, snapshot: Snapshot | None = None) -> CompiledFile | None:
        """The result of an earlier compile, if a compile now would give it again; else None.

        "Now" is when the snapshot looked at a file; None looks at all files again.
        """
        found = self.look_up_with_headers(request, snapshot)
        return found and found[0]

    def look_up_with_headers(
        self, request: Request, snapshot: Snapshot | None = None
    ) -> tuple[CompiledFile, list[str]] | None:
        """Like `look_up`; also returns the absolute paths of all files compiled into it, the source too."""
        snapshot = snapshot or Snapshot()
        with self._opened() as root:
            if root is None:
                return None
            for record in self._records(root, request.key):
                if is_current(record, snapshot) and (compiled := self._compiled(root, record.object)):
                    return compiled, [request.source, *record.headers]
        return None

    def store(
        self,
        request: Request,
        compiled: CompiledFile,
        dependencies: Iterable[str],
        folders: Iterable[str],
        started_ns: int,
    ) -> bool:
        """Keep the result of a compile.

        `dependencies` are all files it read; `folders` are those where `#include` looks, as far as files may appear
        there; all are absolute paths. The compile was started at `started_ns` (time.time_ns). False means: a file
        changed since the request was made, so nobody knows what the result was compiled from. The result is not kept,
        and the source should be compiled again.
        """
        record = observe(request, compiled.digest, dependencies, folders, started_ns)
        if record is None:
            return False
        self._write(_place("objects", compiled.digest), compiled.data)
        with self._opened() as root:
            known = [] if root is None else self._records(root, request.key)
        others = [other for other in known if not is_same_case(other, record)]
        self._write(_place("manifests", request.key), encode([record, *others][:_RECORDS_MAX]))
        self._prune_if_due()
        return True

    @contextlib.contextmanager
    def lock(self, request: Request, given_up: threading.Event, timeout_s: float) -> Iterator[None]:
        """Keep other threads and processes from compiling the same at the same time. This saves work and does no more.

        So the body runs without the lock after `timeout_s`, when `given_up` is set, or where the file system knows no
        locks. A process that dies gives its locks back.
        """
        deadline = time.monotonic() + timeout_s
        descriptor = self._open_lock(request.key)
        try:
            while descriptor is not None and not given_up.is_set() and time.monotonic() < deadline:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    given_up.wait(0.02)
                except OSError:
                    break
                else:
                    break
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def try_out(self) -> None:
        """Make the folder if it is not there yet, and write and remove a file in it, as `store` would."""
        name = f"{TEMPORARY}{os.getpid()}-{time.time_ns()}"
        with self._opened(make=True) as root:
            assert root is not None
            root.write(*_place("objects", name), data=b"")
            root.remove(*_place("objects", name))

    def prune(self) -> None:
        """Remove now what is due: see the constructor. Readers are not disturbed: they have read a file or miss it."""
        with self._opened() as root:
            if root is not None:
                self._prune(root)

    def _prune(self, root: PrivateFolder) -> None:
        now = time.time()
        kept = []
        for entry in _entries(root, "objects", "manifests"):
            unused_s = now - entry.status.st_mtime
            if unused_s > (_HOUR_S if entry.name.startswith(TEMPORARY) else self._unused_s_max):
                root.remove(*entry.place)
            else:
                kept.append((entry.status.st_mtime, entry.status.st_size, entry.place))
        excess = sum(size for _, size, _ in kept) - self._size_bytes_max
        for _, size, place in sorted(kept):
            if excess <= 0:
                break
            root.remove(*place)
            excess -= size
        for entry in _entries(root, "locks"):
            if now - entry.status.st_mtime > _DAY_S:
                root.remove(*entry.place)
        root.remove_what_is_aside()  # by a process that was killed meanwhile

    def clear(self) -> None:
        """Remove everything that chiphost put into the folder, and nothing else. Safe while others use the cache."""
        with self._opened() as root:
            if root is not None:
                root.move_aside(_FORMAT)  # at once: a writer never sees half of a folder
                root.remove_what_is_aside()

    def stats(self) -> CacheStats:
        """Count programs and bytes. Reads the folders, not the files."""
        with self._opened() as root:
            objects = [] if root is None else list(_entries(root, "objects"))
            manifests = [] if root is None else list(_entries(root, "manifests"))
        programs = sum(not entry.name.startswith(TEMPORARY) for entry in objects)
        size_bytes = sum(entry.status.st_size for entry in [*objects, *manifests])
        return CacheStats(self.root, programs, size_bytes, self._size_bytes_max)

    @contextlib.contextmanager
    def _opened(self, *, make: bool = False) -> Iterator[PrivateFolder | None]:
        """The folder, checked; None if there is none and it is not to be made. All errors are CACHE_UNUSABLE."""
        try:
            root = self._made() if make else open_private_folder(self.root)
            with root or contextlib.nullcontext():
                yield root
        except NotPrivate as error:
            # The place is the folder itself or an entry in it; the reason names a folder above it.
            where = Path(error.filename)
            raise _unusable(where if where.is_relative_to(self.root) else self.root, error.reason) from error
        except OSError as error:
            hint = _FULL_HINT if error.errno in (errno.ENOSPC, errno.EDQUOT) else None
            raise _unusable(self.root, error.strerror or str(error), hint) from error

    def _made(self) -> PrivateFolder | None:
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(FileNotFoundError):  # another process removes a folder on the way
                return open_private_folder(self.root, make=True)
        return open_private_folder(self.root, make=True)

    def _write(self, place: tuple[str, ...], data: bytes) -> None:
        for _ in range(_ATTEMPTS):
            with self._opened(make=True) as root:
                assert root is not None
                with contextlib.suppress(FileNotFoundError):  # another process clears the cache just now
                    root.write(*place, data=data)
                    return
        # The other process goes on clearing the cache, and need not leave anything in it.

    def _open_lock(self, key: str) -> int | None:
        with self._opened(make=True) as root:
            assert root is not None
            with contextlib.suppress(FileNotFoundError):
                return root.open_to_lock(_FORMAT, "locks", key)
        return None

    def _records(self, root: PrivateFolder, key: str) -> list[Record]:
        content = root.read(*_place("manifests", key), touched_s=_HOUR_S)
        return [] if content is None else decode(content)

    def _compiled(self, root: PrivateFolder, digest: str) -> CompiledFile | None:
        data = root.read(*_place("objects", digest), touched_s=_HOUR_S)
        if data is None:
            return None
        compiled = CompiledFile.of(data)
        return compiled if compiled.digest == digest else None  # else damaged: the next store writes it again

    def _prune_if_due(self) -> None:
        marker = (_FORMAT, "pruned")
        with self._opened() as root:
            if root is None:
                return
            status = root.status(*marker)
            if status and time.time() - status.st_mtime < _DAY_S:
                return
        self._write(marker, b"")  # before the work: others need not do it too
        self.prune()


def _place(kind: str, name: str) -> tuple[str, ...]:
    return (_FORMAT, kind, name[:2], name)


def _entries(root: PrivateFolder, *kinds: str) -> Iterator[Entry]:
    for kind in kinds:
        yield from root.walk(_FORMAT, kind)


def _unusable(path: Path, reason: str, hint: str | None = None) -> ChiphostError:
    return make_error("CACHE_UNUSABLE", reason, str(path), hint=hint)

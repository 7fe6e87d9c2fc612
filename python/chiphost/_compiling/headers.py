# SPDX-License-Identifier: Apache-2.0
"""The files that a compile has read: the source, its headers, and the folders that decide what `#include` finds.

docs/compile-cache.md lists what this module does not see.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import re
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SECOND_NS: Final = 1_000_000_000


@dataclass(frozen=True)
class Request:
    """A compile, as far as it is known before its headers are. Made by `CompileCache.request`.

    Attributes:
        source: absolute path.
        source_digest: sha256 of its content when the request was made.
        key: name of the manifest.
    """

    source: str
    source_digest: str
    key: str


@dataclass(frozen=True)
class Record:
    """One outcome of a compile: the program for these headers and these files in the searched folders."""

    object: str  # digest of the program
    headers: dict[str, str]  # absolute path: digest; all of them, the system's too
    folders: list[str]  # folders in which headers are looked for
    names: list[str]  # see _visible
    climbing: list[str]  # see _visible
    visible: list[str]  # see _visible


class Snapshot:
    """The content of files as one call sees it: each is looked at once, however many look-ups ask. For any thread."""

    def __init__(self) -> None:
        """Look at nothing yet."""
        self.digest: Final = functools.cache(file_digest)
        self.listing: Final = functools.cache(_listing)
        self.exists: Final = functools.cache(os.path.exists)


def encode(records: list[Record]) -> bytes:
    """Records as a manifest: the digest of the rest, a newline, JSON."""
    payload = json.dumps([dataclasses.asdict(record) for record in records], separators=(",", ":")).encode()
    return hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload


def decode(content: bytes) -> list[Record]:
    """The records of a manifest; none if it is damaged."""
    digest, _, payload = content.partition(b"\n")
    if hashlib.sha256(payload).hexdigest().encode() != digest:
        return []  # damaged
    try:
        return [Record(**fields) for fields in json.loads(payload)]
    except (TypeError, ValueError):
        return []  # written by a development version


def is_current(record: Record, snapshot: Snapshot) -> bool:
    """Would a compile now read the same files with the same content?"""
    try:
        if any(snapshot.digest(path) != digest for path, digest in record.headers.items()):
            return False
        return _visible(record.folders, record.names, record.climbing, snapshot) == record.visible
    except OSError:
        return False


def is_same_case(one: Record, other: Record) -> bool:
    """True if two records are about the same headers, so that the newer one takes the other's place."""
    return dataclasses.replace(one, object="") == dataclasses.replace(other, object="")


def observe(
    request: Request, program: str, dependencies: Iterable[str], folders: Iterable[str], started_ns: int
) -> Record | None:
    """A record of the files that the finished compile saw, or None if one changed since the request was made."""
    snapshot = Snapshot()
    try:
        digests = {path: snapshot.digest(path) for path in dependencies}
        if snapshot.digest(request.source) != request.source_digest:
            return None
        digests.pop(request.source, None)
        # A header looks beside itself first. Headers of the system are taken on trust.
        beside = (str(Path(path).parent) for path in digests if not path.startswith("/usr/"))
        folders = list(dict.fromkeys([*folders, *beside]))
        named = _named([request.source, *digests])
        names = sorted(_names([*digests, *named]))
        climbing = sorted(_climbing(named) | _climbing(_below(folders, digests)))
        visible = _visible(folders, names, climbing, snapshot)
        # Times are read last: a change after the digests were taken does not matter.
        if any(_may_have_changed_since(started_ns, path) for path in {request.source, *digests, *visible}):
            return None
    except OSError:
        return None
    return Record(program, digests, folders, names, climbing, visible)


def _may_have_changed_since(moment_ns: int, path: str) -> bool:
    # ctime: every change of content or name sets it, and no program can set it back. It is taken from a clock that is
    # up to 10 ms behind; where it is a whole number of seconds the file system may know no fractions.
    changed_ns = max(os.lstat(path).st_ctime_ns, os.stat(path).st_ctime_ns)  # noqa: PTH116
    slack_ns = 2 * _SECOND_NS if changed_ns % _SECOND_NS == 0 else _SECOND_NS // 50
    return changed_ns >= moment_ns - slack_ns


# A header that appears in a folder that is searched before the one where the name was found so far changes the result,
# and no digest of the old headers shows it. So a record also says which paths exist below the searched folders that are
# made only of names that occur in the paths of its headers. Whatever could take a header's place is such a path, unless
# it climbs out of the folder, as "../h.h" does: each of these is tried in each folder.


def _visible(folders: Iterable[str], names: Collection[str], climbing: Iterable[str], snapshot: Snapshot) -> list[str]:
    names = frozenset(names)
    below = [path for folder in folders for path in _paths_made_of(names, folder, snapshot, 8)]
    return below + [path for name in climbing for folder in folders if snapshot.exists(path := f"{folder}/{name}")]


def _paths_made_of(names: frozenset[str], folder: str, snapshot: Snapshot, depth: int) -> Iterator[str]:
    listing = snapshot.listing(folder)
    for name in sorted(listing.keys() & names):
        yield f"{folder}/{name}"
        if listing[name] and depth:  # a limit, for links that lead back
            yield from _paths_made_of(names, f"{folder}/{name}", snapshot, depth - 1)


def _names(paths: Iterable[str]) -> set[str]:
    return {name for path in paths for name in path.split("/")} - {""}


def _climbing(names: Iterable[str]) -> set[str]:
    return {name for name in names if ".." in name.split("/") and not name.startswith("/")}


def _below(folders: Iterable[str], paths: Iterable[str]) -> Iterator[str]:
    """The rest of each path with ".." below the folder it begins with: names in #include, also made by a macro."""
    unusual = [path for path in paths if "/../" in path]
    for folder in folders:
        yield from (path[len(folder) + 1 :] for path in unusual if path.startswith(f"{folder}/"))


_HAS_INCLUDE: Final = re.compile(rb"""__has_include(?:_next)?\s*\(\s*[<"]([^>"\n]+)[>"]""")
_CLIMBING: Final = re.compile(rb"""["<]([^"<>\n]*\.\./[^"<>\n]+)[">]""")  # also names that only a macro includes


def _named(sources: Iterable[str]) -> set[str]:
    """Names that `sources` ask for with __has_include, even of missing files, and names with ".." in an #include."""
    found: set[bytes] = set()
    for path in sources:
        content = Path(path).read_bytes()
        found.update(_HAS_INCLUDE.findall(content), _CLIMBING.findall(content))
    return {os.fsdecode(name) for name in found}


# Facts that this process knows about files. A file that changed in the last two seconds is not remembered: it could
# change again without a new time. Threads may race here: they write equal values.

_Signature = tuple[int, int, int, int, int]
_digests: dict[str, tuple[_Signature, str]] = {}
_listings: dict[str, tuple[_Signature, dict[str, bool]]] = {}


def _signature(status: os.stat_result) -> _Signature:
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev)


def _is_settled(status: os.stat_result, now_ns: int) -> bool:
    return max(status.st_mtime_ns, status.st_ctime_ns) < now_ns - 2 * _SECOND_NS


def file_digest(path: str) -> str:
    """Sha256 of a file's content, in hex."""
    known = _digests.get(path)
    if known and known[0] == _signature(os.stat(path)):  # noqa: PTH116 (as below: Path is too slow for this)
        return known[1]
    now_ns = time.time_ns()
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        status = os.fstat(file.fileno())
        digest = hashlib.sha256(file.read()).hexdigest()
    if _is_settled(status, now_ns):
        _digests[path] = (_signature(status), digest)
    return digest


def _listing(folder: str) -> dict[str, bool]:
    """Names in a folder, each with True if it is a folder; empty if there is no such folder."""
    try:
        now_ns = time.time_ns()
        status = os.stat(folder)  # noqa: PTH116
        known = _listings.get(folder)
        if known and known[0] == _signature(status):
            return known[1]
        with os.scandir(folder) as entries:
            listing = {entry.name: entry.is_dir() for entry in entries}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    if _is_settled(status, now_ns):
        _listings[folder] = (_signature(status), listing)
    return listing

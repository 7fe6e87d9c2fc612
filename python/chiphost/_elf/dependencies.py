# SPDX-License-Identifier: Apache-2.0
"""The libraries that an ELF file needs, found where the dynamic loader would look for them. Nothing is loaded."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import re
import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

from ..errors import LoadError, make_error
from .file import ElfFile

_CACHE: Final = Path("/etc/ld.so.cache")
_CACHE_MAGIC: Final = b"glibc-ld.so.cache1.1"
_CACHE_HEADER_BYTES: Final = 48
_CACHE_ENTRY: Final = struct.Struct("=iIIIQ")  # flags, name, path, OS version, hardware capabilities
# Parts of the C and C++ implementations, which copies are meant to share.
_IMPLEMENTATION: Final = (
    "libc",
    "libm",
    "libmvec",
    "libdl",
    "libpthread",
    "librt",
    "libutil",
    "libresolv",
    "libanl",
    "libgcc_s",
    "libstdc++",
    "libc++",
    "libc++abi",
    "libunwind",
    "libatomic",
)


# Want of descriptors or memory, and a broken disk.
_TROUBLE_OF_OURS: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)


class _UnusableFile(Exception):
    """The loader would end its search at this file, and refuse it."""


@dataclass(frozen=True)
class Dependency:
    """A needed library.

    Attributes:
        name: as in DT_NEEDED.
        needed_by: who needs it first: the name of the file or of another dependency.
        file: what was found, None if nothing was.
        looked_in: the folders that were tried, in order, the last one with success.
        from_origin: found through $ORIGIN, that is in a place relative to the file that needs it.
        unusable: what is wrong with the file of that name at which the loader stops its search, "" if there is none.
    """

    name: str
    needed_by: str
    file: ElfFile | None
    looked_in: tuple[str, ...]
    from_origin: bool
    unusable: str

    @property
    def of_the_implementation(self) -> bool:
        """True if it belongs to the C or C++ implementation."""
        return self.name.split(".so")[0] in _IMPLEMENTATION or self.name.startswith(("ld-linux", "ld64", "ld-musl"))


class Dependencies:
    """The libraries that a file needs, and that these need, in the loader's order: breadth first.

    Holds no descriptors; for one thread. All libraries are of the file's own class and processor: like the loader, this
    passes over others. Raises LoadError (FILE_UNREADABLE) if this process cannot look, for want of descriptors or
    memory: that says nothing about a library.
    """

    def __init__(self, file: ElfFile) -> None:
        """Find the libraries of `file`, which stays the caller's."""
        self._root = file
        self.all: list[Dependency] = []
        self._search()

    @property
    def files(self) -> list[ElfFile]:
        """The libraries that were found."""
        return [dependency.file for dependency in self.all if dependency.file]

    @property
    def missing(self) -> list[Dependency]:
        """The libraries that were not found."""
        return [dependency for dependency in self.all if dependency.file is None]

    def find(self, name: str) -> ElfFile | None:
        """Find a library that the file does not need itself, where the loader would look for it. None without one."""
        try:
            return self._find(name, self._root, [])[0]
        except _UnusableFile:
            return None

    def _search(self) -> None:
        waiting: deque[tuple[ElfFile, list[str]]] = deque([(self._root, [])])
        seen = {self._root.soname or self._root.path.name}
        while waiting:
            user, inherited = waiting.popleft()
            rpath = [*_expand(user.rpath, user), *inherited]
            for name in user.needed:
                if name in seen:
                    continue
                seen.add(name)
                unusable = ""
                try:
                    file, looked_in = self._find(name, user, rpath)
                except _UnusableFile as stop:
                    file, looked_in, unusable = None, [], str(stop)
                origin = bool(file) and looked_in[-1] in _expand(
                    [folder for folder in [*user.rpath, *user.runpath] if _uses_origin(folder)], user
                )
                by = user.soname or user.path.name
                self.all.append(Dependency(name, by, file, tuple(looked_in), origin, unusable))
                if file:
                    seen.add(file.soname)
                    waiting.append((file, rpath))

    def _find(self, name: str, user: ElfFile, rpath: list[str]) -> tuple[ElfFile | None, list[str]]:
        if "/" in name:
            path = Path(_expand([name], user)[0])
            return self._try(path), [str(path.parent)]
        looked_in: list[str] = []
        # RPATH of the file that needs it and of those that brought it in, unless there is a RUNPATH; then as man ld.so
        # says.
        folders = [*([] if user.runpath else rpath), *_library_path(), *_expand(user.runpath, user)]
        for folder in dict.fromkeys(folders):
            looked_in.append(folder)
            if file := self._try(Path(folder, name)):
                return file, looked_in
        looked_in.append(str(_CACHE))
        for cached in self._cache.get(name, []):
            if file := self._try(Path(cached)):
                return file, looked_in
        for folder in _DEFAULTS:
            looked_in.append(folder)
            if file := self._try(Path(folder, name)):
                return file, looked_in
        return None, looked_in

    def _try(self, path: Path) -> ElfFile | None:
        if not os.path.isfile(path):  # noqa: PTH113  # Path.is_file raises if a folder is closed to us
            return None
        try:
            with ElfFile(path) as file:
                _ = file.needed, file.soname, file.runpath
        except LoadError as error:
            number = getattr(error.__cause__, "errno", None)
            if number in _TROUBLE_OF_OURS:
                raise
            if number in (errno.EACCES, errno.ENOENT):
                return None  # the loader goes on looking
            raise _UnusableFile(f"{path}: {error.message}") from error
        root = self._root
        same = (file.bits, file.little_endian, file.machine) == (root.bits, root.little_endian, root.machine)
        return file if same else None

    @cached_property
    def _cache(self) -> dict[str, list[str]]:
        """/etc/ld.so.cache as `ldconfig -p` shows it: paths by name. Empty if it has none of that kind."""
        try:
            data = _CACHE.read_bytes()
        except OSError as error:
            if error.errno in _TROUBLE_OF_OURS:
                raise make_error("FILE_UNREADABLE", f"cannot open: {error.strerror}", str(_CACHE)) from error
            return {}
        start = data.find(_CACHE_MAGIC)  # an older format may come before it
        if start < 0:
            return {}
        data = data[start:]
        paths: dict[str, list[str]] = {}
        for name, path in _cache_entries(data):
            paths.setdefault(name, []).append(path)
        return paths


def _cache_entries(data: bytes) -> Iterator[tuple[str, str]]:
    if len(data) < _CACHE_HEADER_BYTES:
        return
    [count] = struct.unpack_from("=I", data, len(_CACHE_MAGIC))
    count = min(count, (len(data) - _CACHE_HEADER_BYTES) // _CACHE_ENTRY.size)
    table = data[_CACHE_HEADER_BYTES : _CACHE_HEADER_BYTES + count * _CACHE_ENTRY.size]
    for _, name, path, _, capabilities in _CACHE_ENTRY.iter_unpack(table):
        if capabilities == 0:  # others are variants of it for newer processors
            yield _text(data, name), _text(data, path)


def _text(data: bytes, start: int) -> str:
    return os.fsdecode(data[start : data.find(b"\0", start)])


def _library_path() -> list[str]:
    path = os.environ.get("LD_LIBRARY_PATH", "")
    return [folder or "." for folder in path.replace(";", ":").split(":")] if path else []


def _expand(folders: list[str], user: ElfFile) -> list[str]:
    """Replace $ORIGIN by the folder of the file that needs the library; symbolic links are not resolved."""
    origin = str(Path(os.path.abspath(user.path)).parent)  # noqa: PTH100  # Path.resolve would resolve links
    values = {"ORIGIN": origin, "LIB": _lib(), "PLATFORM": platform.machine()}

    def put_in(folder: str) -> str:
        return _TOKEN.sub(lambda match: values[match[1] or match[2]], folder)  # the new text stays as it is

    return [os.path.normpath(put_in(folder)) for folder in folders]


def _uses_origin(folder: str) -> bool:
    return any("ORIGIN" in match for match in _TOKEN.findall(folder))


@lru_cache(maxsize=1)
def _lib() -> str:
    """The loader's value of $LIB: the folder below / that holds its own libraries, such as lib64."""
    with contextlib.suppress(OSError), open("/proc/self/maps", "rb") as maps:  # noqa: PTH123
        for line in maps:
            if line.rstrip().endswith(b"/libc.so.6"):
                folder = os.fsdecode(line.rstrip().split(b" ")[-1].rpartition(b"/")[0])
                return folder.removeprefix("/usr").removeprefix("/")
    return "lib64" if Path("/lib64").exists() else "lib"


_TOKEN: Final = re.compile(r"\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM))")
_SEVERAL: Final = f"{platform.machine()}-linux-gnu"  # Debian keeps the libraries of each processor in a folder
_DEFAULTS: Final = (f"/lib/{_SEVERAL}", f"/usr/lib/{_SEVERAL}", "/lib64", "/usr/lib64", "/lib", "/usr/lib")

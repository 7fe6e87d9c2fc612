# SPDX-License-Identifier: Apache-2.0
"""The bytes of an ELF file, and the errors for those that make no sense."""

from __future__ import annotations

import errno
import os
import stat
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from elftools.common.exceptions import ELFParseError

from ..errors import make_error

_NAME_BYTES_MAX: Final = 1 << 16
_SCRIPT_BYTES: Final = 4096


class Contents:
    """The bytes of a file that stays the same.

    They can be read after it was closed, too: it is opened again for every read then. Raises LoadError: FILE_UNREADABLE
    if it cannot be opened or read or is another file by then, FILE_TRUNCATED if it is too short. For one thread.
    """

    def __init__(self, path: Path) -> None:
        """Open the file."""
        self.path = path
        self._identity: tuple[int, ...] | None = None
        self._descriptor = self._open()

    def close(self) -> None:
        """Give the descriptor back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> int:
        try:
            # A named pipe may have no writer; opening it must not wait for one.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            reason = error.strerror if isinstance(error, OSError) else error
            if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
                reason = f"{reason}; raise the limit of open files (ulimit -n), or close some"
            raise make_error("FILE_UNREADABLE", f"cannot open: {reason}", str(self.path)) from error
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise make_error("FILE_UNREADABLE", "not a regular file", str(self.path))
            identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
            if self._identity not in (None, identity):
                raise make_error("FILE_UNREADABLE", "it was replaced while it was read", str(self.path))
            self._identity, self.bytes = identity, status.st_size
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def parse(self, layout: Any, offset: int, what: str) -> Any:
        """A record at an offset. `layout` is one of pyelftools, `what` is for a message."""
        return self.parse_all(layout, offset, 1, what)[0]

    def parse_all(self, layout: Any, offset: int, count: int, what: str) -> list[Any]:
        """Records that follow each other."""
        size = layout.sizeof()
        if offset + count * size > self.bytes:
            raise self.truncated(what, offset, count * size)
        stream = BytesIO(self.read(offset, count * size))
        try:
            return [layout.parse_stream(stream) for _ in range(count)]
        except ELFParseError as error:
            raise self.broken(f"{what}: {error}") from error

    def read(self, offset: int, size: int) -> bytes:
        """The bytes at an offset; all of them are in the file."""
        if size < 0 or offset + size > self.bytes:
            raise self.truncated("a table", offset, size)
        parts, wanted = [], size
        descriptor = self._descriptor if self._descriptor >= 0 else self._open()
        try:
            while size and (part := os.pread(descriptor, min(size, 1 << 30), offset)):
                parts.append(part)
                size, offset = size - len(part), offset + len(part)
        except OSError as error:
            raise make_error("FILE_UNREADABLE", f"cannot read: {error.strerror}", str(self.path)) from error
        finally:
            if descriptor != self._descriptor:
                os.close(descriptor)
        if size:
            raise make_error("FILE_TRUNCATED", f"it became shorter by {size} of {wanted} bytes", str(self.path))
        return b"".join(parts)

    def not_elf(self) -> Exception:
        """The error for a file that does not begin as an ELF file does."""
        start = self.read(0, min(self.bytes, _SCRIPT_BYTES))
        for word in (b"GROUP", b"INPUT"):
            if word in start and b"\0" not in start:
                text = " ".join(start[start.index(word) :].decode(errors="replace").split())
                message = f"a linker script (text for ld), not an ELF file: {text[:200]}"
                return make_error("NOT_ELF", message, str(self.path), hint="name the library that the script names")
        message = f"wanted an ELF shared library, found {self.bytes} bytes that begin otherwise"
        return make_error("NOT_ELF", message, str(self.path))

    def truncated(self, what: str, offset: int, size: int) -> Exception:
        """The error for a file that ends before something that it says it has."""
        message = f"{what} needs {size} bytes at offset {offset}, the file has {self.bytes} in all"
        return make_error("FILE_TRUNCATED", message, str(self.path))

    def broken(self, message: str) -> Exception:
        """The error for bytes that contradict each other."""
        return make_error("NOT_ELF", f"damaged: {message}", str(self.path), hint="copy or build the file again")


def string_at(strings: bytes, offset: int) -> str:
    """The string that begins at an offset; "" if there is none."""
    end = strings.find(b"\0", offset, offset + _NAME_BYTES_MAX)
    return strings[offset:end].decode(errors="backslashreplace") if end >= 0 else ""

# SPDX-License-Identifier: Apache-2.0
"""Files to write reports to, and JSON for them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from .._text.printable import encodable

_DESCRIPTOR_FOLDERS: Final = (Path("/dev/fd"), Path("/proc/self/fd"), Path(f"/proc/{os.getpid()}/fd"))
_STREAMS: Final = ("stdin", "stdout", "stderr")
_LINKS_MAX: Final = 40


class ReportFile:
    """A file to write a report to. A reader sees all of it or none, unless it is no regular file."""

    def __init__(self, path: str | Path) -> None:
        """Name the file; see `check`."""
        self._descriptor: Final = _descriptor(Path(path))
        # A link stays a link: its target is replaced.
        self.path: Final = Path(path).resolve() if self._descriptor is None else Path(f"/dev/fd/{self._descriptor}")

    def check(self) -> None:
        """Raise OSError if the file could not be written now. Leaves nothing behind."""
        if self._descriptor is not None:
            if fcntl.fcntl(self._descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
                raise PermissionError(f"{self.path} is open for reading only")
            return
        if self.path.is_dir():
            raise IsADirectoryError(f"{self.path} is a folder")
        if self.path.exists() and not os.access(self.path, os.W_OK):
            raise PermissionError(f"{self.path} may not be written to")
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {self.path.parent}")
        if not self._is_special:
            try:
                with tempfile.NamedTemporaryFile(prefix=f".{self.path.name}-", dir=self.path.parent):
                    pass
            except OSError as error:
                raise OSError(f"{self.path.parent} may not be written to: {error.strerror}") from error

    def write(self, content: str) -> None:
        """Write the report. Raises OSError."""
        data = content.encode()
        if self._descriptor is not None:  # written behind what is there already, also if that is a file
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            while data:
                data = data[os.write(self._descriptor, data) :]
            return
        if self._is_special:  # a pipe, a terminal, /dev/null: not to be replaced by a file
            self.path.write_bytes(data)
            return
        temporary = self.path.with_name(f".{self.path.name}-{os.getpid()}.tmp")
        try:
            temporary.write_bytes(data)  # with the mode that the user's umask gives, which mkstemp would not
            temporary.replace(self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise

    @property
    def _is_special(self) -> bool:
        return self.path.exists() and not self.path.is_file()


def _descriptor(path: Path) -> int | None:
    """The open file of this process that a path such as /dev/stdout or /dev/fd/3 stands for, or None."""
    path = path.absolute()
    for _ in range(_LINKS_MAX):
        if path.parent in _DESCRIPTOR_FOLDERS and path.name.isdecimal():
            return int(path.name)
        if path.parent == Path("/dev") and path.name in _STREAMS:
            return _STREAMS.index(path.name)
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return None


def as_json(content: Any) -> str:
    """The text of a JSON file. Every reader takes it: characters that UTF-8 cannot hold are escaped as in messages."""
    return json.dumps(encodable(content), indent=2) + "\n"


def write_all(reports: Iterable[tuple[ReportFile | None, Callable[[], str]]]) -> list[tuple[ReportFile, OSError]]:
    """Make and write each report that has a file; return the files that could not be written, each with its error."""
    problems = []
    for file, make in reports:
        if file is None:
            continue
        try:
            file.write(make())
        except OSError as error:
            problems.append((file, error))
    return problems

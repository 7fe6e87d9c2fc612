# SPDX-License-Identifier: Apache-2.0
"""Headers that many files of a batch begin with: each is compiled once for all files with equal options.

What comes of it is kept in the compile cache, as programs are, and lies in a temporary folder while the batch lasts.
Only g++ is asked for it; with another compiler, and when it fails, each file includes the header itself.
"""

from __future__ import annotations

import collections
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from . import toolchain
from .compile_cache import CompileCache, Program, Request
from .compiler_processes import CompilerProcesses
from .swept_folder import SweptFolder, swept_folder

# Compiling one takes as long as it saves for about so many files.
_FILES_MIN: Final = 5


@dataclass(frozen=True)
class Prelude:
    """A compiled header.

    Attributes:
        path: what to include instead of the header.
        dependencies: absolute paths of all files that are in it, the header too.
        seen_ns: a change of one of them since then (time.time_ns) is not in it.
    """

    path: Path
    dependencies: tuple[str, ...]
    seen_ns: int


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)  # held while it is being made
    tried: bool = False
    prelude: Prelude | None = None


class Preludes:
    """Those of one batch. All methods may be called from any thread, but `close` when nothing else runs any more."""

    def __init__(self, cache: CompileCache, processes: CompilerProcesses) -> None:
        """Compile nothing yet."""
        self._cache = cache
        self._processes = processes
        self._folders = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._expected: collections.Counter[tuple[str, ...]] = collections.Counter()  # guarded by _lock
        self._entries: dict[tuple[str, ...], _Entry] = {}  # guarded by _lock

    def expect(self, command: Sequence[str]) -> None:
        """A file will ask for what this command makes."""
        with self._lock:
            self._expected[tuple(command)] += 1

    def get(self, header: Path, command: Sequence[str], request: Callable[[], Request]) -> Prelude | None:
        """The compiled header: of this batch, of the cache, or made now if enough files will want it.

        `command` compiles it but for the name of the output; `request` is what it is kept under.
        """
        key = tuple(command)
        with self._lock:
            wanted = self._expected[key]
            self._expected[key] -= 1
            entry = self._entries.setdefault(key, _Entry())
        with entry.lock:
            if entry.prelude is None and not entry.tried:
                asked = request()
                entry.prelude = self._kept(header, asked)
                if entry.prelude is None and wanted >= _FILES_MIN:
                    entry.tried = True
                    entry.prelude = self._made(header, list(command), asked)
            return entry.prelude

    def close(self) -> None:
        """Remove what the batch has used."""
        self._folders.close()

    def _folder(self) -> SweptFolder:
        with self._lock:
            return self._folders.enter_context(swept_folder())

    def _kept(self, header: Path, request: Request) -> Prelude | None:
        seen_ns = time.time_ns()
        found = self._cache.look_up_with_headers(request)
        if found is None:
            return None
        program, headers = found
        with contextlib.suppress(OSError):  # no room: without, then
            path = _place_in(self._folder(), header)
            path.with_name(path.name + ".gch").write_bytes(program.data)
            return Prelude(path, tuple(headers), seen_ns)
        return None

    def _made(self, header: Path, command: list[str], request: Request) -> Prelude | None:
        with contextlib.suppress(OSError):
            folder = self._folder()
            path = _place_in(folder, header)
            output, depfile = path.with_name(path.name + ".gch"), Path(folder.path, "headers.d")
            started_ns = time.time_ns()
            command = [*command, "-MD", "-MT", "prelude", "-MF", str(depfile), "-o", str(output)]
            problem, _ = self._processes.run(command, header.parent, folder)
            if problem or not output.is_file():
                return None  # the files that include it say what is wrong
            dependencies = [str(header.parent / name) for name in toolchain.dependencies(depfile.read_bytes())]
            folders = [str(header.parent), *toolchain.include_folders(command, header.parent)]
            self._cache.store(request, Program.of(output.read_bytes()), dependencies, folders, started_ns)
            return Prelude(path, (str(header), *dependencies), started_ns)
        return None


def _place_in(folder: SweptFolder, header: Path) -> Path:
    """A file beside which the compiled one will lie. If that cannot be used, it is the header all the same."""
    path = Path(folder.path, header.name)
    path.write_text(f'#include "{header}"\n')
    return path

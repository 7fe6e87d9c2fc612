# SPDX-License-Identifier: Apache-2.0
"""Headers that many files of a batch begin with: each is compiled once for all files with equal options.

The result is kept in the compile cache, as programs are, and lies in a temporary folder while the batch lasts. Only g++
does this work; with another compiler, and when anything goes wrong, each file includes the header itself.
"""

from __future__ import annotations

import collections
import contextlib
import re
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .._system.swept_folder import SweptFolder, swept_folder
from . import host_toolchain
from .cache import CompileCache, CompiledFile
from .headers import Request
from .processes import CompilerProcesses

# The number of files for which the compile of a prelude takes about as long as it saves.
_FILES_MIN: Final = 5
# Words for the compiler that mean the same in every folder.
_SAME_EVERYWHERE: Final = re.compile(r"-(std=[\w+]+|f[\w-]+|W[\w-]*|w|O\w?|g\w*|m[\w=.-]+|pthread|[DU]\w+(=[^/]*)?)")


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


@dataclass(frozen=True)
class Recipe:
    """The way to compile a header.

    Attributes:
        header: absolute path.
        command: all of it but the name of the output.
        folder: where it runs. Files of several folders share one if the command means the same in each.
        first: headers that `command` includes before this one.
    """

    header: Path
    command: tuple[str, ...]
    folder: Path
    first: tuple[Path, ...] = ()

    @classmethod
    def of(
        cls,
        header: Path,
        command: Sequence[str],
        further: Sequence[str],
        source: Path,
        first: tuple[Path, ...] = (),
    ) -> Recipe:
        """A recipe for a source; `further` are the words of the command that need not mean the same everywhere."""
        shared = all(_SAME_EVERYWHERE.fullmatch(word) for word in further)
        return cls(header, tuple(command), header.parent if shared else source.parent, first)


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)  # held while it is being made
    tried: bool = False
    prelude: Prelude | None = None
    folders: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)


class Preludes:
    """The preludes of one batch. Any thread may call any method, but `close` only when nothing else runs any more."""

    def __init__(self, cache: CompileCache, processes: CompilerProcesses, timeout_s: float) -> None:
        """Compile nothing yet."""
        self._cache = cache
        self._processes = processes
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._expected: collections.Counter[Recipe] = collections.Counter()  # guarded by _lock
        self._entries: dict[Recipe, _Entry] = {}  # guarded by _lock

    def expect(self, recipe: Recipe) -> None:
        """Note that a file will be compiled that may ask for this prelude."""
        with self._lock:
            self._expected[recipe] += 1

    def forget(self, recipe: Recipe) -> None:
        """Note that such a file has been compiled. After the last one the compiled header is removed."""
        with self._lock:
            self._expected[recipe] -= 1
            entry = self._entries.pop(recipe, None) if self._expected[recipe] == 0 else None
        if entry:
            entry.folders.close()

    def get(self, recipe: Recipe, request: Callable[[], Request]) -> Prelude | None:
        """The compiled header: from this batch, from the cache, or made now if enough files will want it.

        `request` describes the compile for the cache.
        """
        with self._lock:
            wanted = self._expected[recipe]
            entry = self._entries.setdefault(recipe, _Entry())
        with entry.lock:
            if entry.prelude is None and not entry.tried:
                asked = request()
                entry.prelude = self._kept(recipe, asked, entry.folders)
                if entry.prelude is None and wanted >= _FILES_MIN:
                    entry.tried = True
                    with self._cache.lock(asked, self._processes.cancelled, self._timeout_s):
                        # Another process may have been faster.
                        entry.prelude = self._kept(recipe, asked, entry.folders)
                        entry.prelude = entry.prelude or self._made(recipe, asked, entry.folders)
            return entry.prelude

    def close(self) -> None:
        """Remove the files of the batch."""
        for entry in self._entries.values():
            entry.folders.close()

    def _kept(self, recipe: Recipe, request: Request, folders: contextlib.ExitStack) -> Prelude | None:
        seen_ns = time.time_ns()
        found = self._cache.look_up_with_headers(request)
        if found is None:
            return None
        compiled, headers = found
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            folder = stack.enter_context(swept_folder())
            if shutil.disk_usage(folder.path).free < 2 * len(compiled.data):
                return None  # the files themselves need room, too
            path = _place_in(folder, recipe)
            path.with_name(path.name + ".gch").write_bytes(compiled.data)
            folders.push(stack.pop_all())
            return Prelude(path, tuple(headers), seen_ns)
        return None

    def _made(self, recipe: Recipe, request: Request, folders: contextlib.ExitStack) -> Prelude | None:
        header = recipe.header
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            folder = stack.enter_context(swept_folder())
            path = _place_in(folder, recipe)
            output, depfile = path.with_name(path.name + ".gch"), Path(folder.path, "headers.d")
            started_ns = time.time_ns()
            command = [*recipe.command, "-MD", "-MT", "prelude", "-MF", str(depfile), "-o", str(output)]
            problem, _ = self._processes.run(command, recipe.folder, folder)
            if problem or not output.is_file():
                return None  # the files that include it say what is wrong
            names = host_toolchain.dependencies(depfile.read_bytes())
            dependencies = list(dict.fromkeys([str(header), *(str(recipe.folder / name) for name in names)]))
            looked_in = [str(header.parent), *host_toolchain.include_folders(command, recipe.folder)]
            self._cache.store(request, CompiledFile.of(output.read_bytes()), dependencies, looked_in, started_ns)
            folders.push(stack.pop_all())
            return Prelude(path, tuple(dependencies), started_ns)
        return None


def _place_in(folder: SweptFolder, recipe: Recipe) -> Path:
    """A file beside which the compiled header will lie. If that one cannot be used, the file works as the header."""
    path = Path(folder.path, recipe.header.name)
    path.write_text("".join(f'#include "{header}"\n' for header in (*recipe.first, recipe.header)))
    return path

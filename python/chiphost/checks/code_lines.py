# SPDX-License-Identifier: Apache-2.0
"""The line of a source that a person wants to see for an access: their own, and not one of a header below it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from .. import toolchain
from .debug_lines import Chain, Frame, chains
from .finding import CodeLine

_OF_PTO_ISA: Final = re.compile(r"/pto/(?:cpu|common)/[^/]+\.hpp$")
_OF_THE_SYSTEM: Final = ("/usr/include", "/usr/lib", "/usr/local/include", "/usr/local/lib")


class CodeLines:
    """The lines of one program."""

    def __init__(self, data: bytes, stacks: Iterable[Sequence[int]], source_folder: Path | None = None) -> None:
        """Look up all addresses at once.

        Args:
            data: the bytes of the program's ELF file.
            stacks: return addresses as the file has them, innermost first in each.
            source_folder: where the program's source is; None if nobody knows.
        """
        self._chains: dict[int, Chain] = chains(data, {_call(each) for each in chain.from_iterable(stacks)})
        self._folder = source_folder

    def line(self, stack: Sequence[int]) -> CodeLine | None:
        """The line of a stack of return addresses, innermost first; None if the program does not say it."""
        return choose(list(self._frames(stack)), self._folder)

    def in_block_copy(self, stack: Sequence[int]) -> bool:
        """True for code of an instruction of PTO-ISA: it stands for the chip's copy and vector units."""
        return any(_OF_PTO_ISA.search(frame.file) for frame in self._frames(stack))

    def _frames(self, stack: Sequence[int]) -> Iterator[Frame]:
        for offset in stack:
            yield from self._chains.get(_call(offset), ())


def choose(frames: Sequence[Frame], source_folder: Path | None) -> CodeLine | None:
    """The innermost line in the source's folder, or else the innermost one.

    Lines of chiphost's headers and of the system's do not count if there are others.

    Args:
        frames: the innermost first.
        source_folder: where the program's source is; None if nobody knows.
    """
    theirs = [frame for frame in frames if not _is_below(frame.file, _foreign_folders())] or list(frames[-1:])
    if not theirs:
        return None
    own = theirs[0]
    if source_folder is not None:
        folders = (str(source_folder), os.path.realpath(source_folder))
        own = next((frame for frame in theirs if _is_below(frame.file, folders)), own)
    return CodeLine(*own, None if own == theirs[0] else CodeLine(*theirs[0]))


def _call(address: int) -> int:
    """An address in the call that returns to this one. What follows a call may belong to another line."""
    return address - 1


def _foreign_folders() -> tuple[str, ...]:
    ours = (toolchain.include_dir(), toolchain.compat_dir())
    return (*_OF_THE_SYSTEM, *map(str, ours), *map(os.path.realpath, ours))


def _is_below(file: str, folders: Iterable[str]) -> bool:
    return any(file.startswith(f"{folder}/") for folder in folders)

# SPDX-License-Identifier: Apache-2.0
"""The records of an ELF file, as far as they matter here."""

from __future__ import annotations

from typing import Final, NamedTuple

_SHN_UNDEF: Final = 0
_HIDDEN: Final = (1, 2)  # STV_INTERNAL, STV_HIDDEN
_PROTECTED: Final = 3


class Segment(NamedTuple):
    """A program header."""

    type: str | int
    offset: int
    address: int
    file_bytes: int
    memory_bytes: int
    flags: int
    align: int


class Section(NamedTuple):
    """A section header."""

    name: str
    type: str | int
    flags: int
    address: int
    offset: int
    bytes: int
    link: int
    info: int


class Symbol(NamedTuple):
    """A symbol. `section` is the number of its section, 0 if another file has to define it."""

    name: str
    binding: str
    type: str
    visibility: int
    section: int
    address: int
    bytes: int

    @property
    def defined(self) -> bool:
        """True if this file defines it."""
        return self.section != _SHN_UNDEF

    @property
    def exported(self) -> bool:
        """True if other files can bind to it."""
        return self.defined and self.binding != "STB_LOCAL" and self.visibility not in _HIDDEN

    @property
    def preemptible(self) -> bool:
        """True if this file's own references to it may end at another file's symbol of that name."""
        return self.exported and self.visibility != _PROTECTED


class Code(NamedTuple):
    """Machine code: where it is in memory, relative to the file's beginning, and its bytes."""

    address: int
    data: bytes


class VersionNeed(NamedTuple):
    """A symbol version that a dependency must have, for example GLIBC_2.34 of libc.so.6."""

    library: str
    version: str
    weak: bool

# SPDX-License-Identifier: Apache-2.0
"""A compiler's output, read back: checks that it is what was asked for, and the code of a kernel for a real chip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import LoadError

if TYPE_CHECKING:
    from .._elf.file import ElfFile
    from .._elf.records import Symbol

_ENTRY: Final = "kernel_entry"
_SANITIZER_RUNTIMES: Final = ("libasan.", "libtsan.", "liblsan.", "libhwasan.")
# Numbers of ELF files, in both byte orders.
_MAGIC: Final = b"\x7fELF"
_KINDS: Final = {1: "an object file", 2: "a program", 3: "a shared library"}
_SHARED_LIBRARY: Final = 3


def is_shared_library(data: bytes) -> bool:
    """True if these bytes begin as a shared library does."""
    return _type(data) == _SHARED_LIBRARY


def kind(data: bytes) -> str:
    """The kind of these bytes, in words."""
    return _KINDS.get(_type(data), "something else, such as text")


def sanitizer_runtime(program: Path) -> str | None:
    """The sanitizer's runtime that a library needs and this process lacks: it calls exit() when it is loaded late.

    Raises LoadError if the file is damaged.
    """
    with _open(program) as elf:
        runtime = next((name for name in elf.needed if name.startswith(_SANITIZER_RUNTIMES)), None)
    if runtime is None:
        return None
    try:
        return None if runtime in Path("/proc/self/maps").read_text() else runtime
    except OSError:  # no /proc: nobody knows what this process has
        return runtime


def kernel_code(program: Path) -> bytes:
    """The code of a kernel: its object file's section .text, which is copied to the device as it is.

    Raises ValueError if that would not be the kernel: no ELF file, no such section, the entry not at its beginning,
    addresses in it that a linker would have to fill in.
    """
    try:
        with _open(program) as elf:
            text = next((number for number, section in enumerate(elf.sections) if section.name == ".text"), None)
            if text is None:
                raise ValueError("wrote an object file without a section .text")
            code = elf.section_bytes(elf.sections[text])
            entry = next((each for each in elf.full_symbols if each.name == _ENTRY and each.section == text), None)
            unresolved = [_name(elf, symbol) for symbol in elf.relocated_symbols(text)]
    except LoadError as error:
        raise ValueError(f"wrote no ELF object file: {error.message}") from error
    if entry is None:
        raise ValueError(f"wrote an object file that does not define {_ENTRY} in its section .text")
    if entry.address != 0:
        raise ValueError(
            f"put {_ENTRY} {entry.address} bytes into the section .text, and the cores begin at its beginning; "
            "define other functions inline or after it"
        )
    if unresolved:
        raise ValueError(
            f"left addresses for a linker to fill in, of {', '.join(dict.fromkeys(unresolved))}, and the section .text "
            "is copied to the device as it is; make functions that the kernel calls static or inline, and have no "
            "tables of constants"
        )
    return code


def _open(program: Path) -> ElfFile:
    from .._elf.file import ElfFile  # only who compiles needs pyelftools; who finds all in the cache does not

    return ElfFile(program)


def _name(elf: ElfFile, symbol: Symbol | None) -> str:
    """The target of a relocation: the name of a symbol, or of a section if the symbol has no name."""
    if symbol is None:
        return "unknown symbols"
    if symbol.name or not 0 < symbol.section < len(elf.sections):
        return symbol.name or "a symbol without a name"
    return elf.sections[symbol.section].name


def _type(data: bytes) -> int:
    if len(data) < 18 or not data.startswith(_MAGIC):
        return 0
    return int.from_bytes(data[16:18], "big" if data[5] == 2 else "little")

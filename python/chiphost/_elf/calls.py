# SPDX-License-Identifier: Apache-2.0
"""The arguments that the code of an ELF file passes to functions of other files, where they can be read.

Nothing is executed. A call is recognised by its target: the stub of the linker for the function, or the slot that the
loader fills. From there the code is read backwards to the instruction that wrote the argument. A constant is a value;
anything else, and a function whose address is taken, counts as unknown. For x86-64 and AArch64.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Final

from .file import ElfFile
from .records import Code

# Relocations of slots that are only called through, by processor.
_CALL_SLOTS: Final = {"EM_X86_64": (6, 7), "EM_AARCH64": (1026,)}  # GLOB_DAT, JUMP_SLOT
_BACK_BYTES: Final = 64
_ANY: Final = b"(?s:(....))"


@dataclass
class Passed:
    """The values that are passed as one argument.

    Attributes:
        values: the constants that were seen.
        unknown: calls that pass something else, and places where the function's address is taken.
        nearby: small constants in the code before the calls that pass something else. It may be one of them.
    """

    values: set[int] = field(default_factory=set)
    unknown: int = 0
    nearby: set[int] = field(default_factory=set)


def passed(file: ElfFile, names: Collection[str], argument: int) -> Passed:
    """The values that a file passes to the functions of these names, which it takes from others.

    Args:
        file: an open file.
        names: of functions.
        argument: number of the argument, 0 for the first; an integer or a pointer, and at most the fourth.
    """
    found = Passed()
    if not any(name in file.imports for name in names):
        return found
    numbers = {number for number, symbol in enumerate(file.symbols) if symbol.name in names and not symbol.defined}
    slots: set[int] = set()
    for address, kind, number in file.relocations:
        if number in numbers:
            if kind in _CALL_SLOTS.get(str(file.machine), ()):
                slots.add(address)
            else:
                found.unknown += 1  # a pointer in its data: its callers cannot be told
    if file.machine not in _CALL_SLOTS:
        return found
    x86 = file.machine == "EM_X86_64"
    for code in file.code:
        sites = _x86_sites(code, slots, _linker_stubs(file)) if x86 else _arm_sites(code, slots)
        for at in sites:
            value = None if at is None else (_x86_constant if x86 else _arm_constant)(code.data, at, argument)
            if value is not None:
                found.values.add(value)
                continue
            found.unknown += 1
            if at is not None:
                found.nearby |= (_x86_nearby if x86 else _arm_nearby)(code.data, at)
    return found


def _linker_stubs(file: ElfFile) -> Callable[[int], bool]:
    """A function: True if the jump at an address is a stub of the linker, False if it is a call itself."""
    sections = [range(s.address, s.address + s.bytes) for s in file.sections if s.name.startswith(".plt")]
    if sections:
        return lambda address: any(address in section for section in sections)
    return lambda address: any((address - before) % 8 == 0 for before in (0, 1, 4, 5))


# x86-64: offsets in the code of the calls that go to the slots; None for a place that takes the address.


def _x86_sites(segment: Code, slots: set[int], is_stub: Callable[[int], bool]) -> Iterator[int | None]:
    base, code = segment

    def targets(opcode: bytes) -> Iterator[tuple[int, int]]:
        for match in re.finditer(opcode + b"(?=" + _ANY + b")", code):
            yield match.start(), base + match.end() + 4 + struct.unpack("<i", match[1])[0]

    stubs: set[int] = set()
    for at, target in targets(rb"\xff\x25"):  # jmp *slot(%rip)
        if target in slots and not is_stub(base + at):
            yield at
        elif target in slots:
            # It may have a prefix, and a mark for indirect branches before it.
            stubs |= {base + at - before for before in (0, 1, 4, 5)}
    for at, target in targets(rb"\xff\x15"):  # call *slot(%rip)
        if target in slots:
            yield at
    for _, target in targets(rb"[\x48\x4c]\x8b[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]"):  # mov slot(%rip), %register
        if target in slots:
            yield None
    if stubs:
        for at, target in targets(rb"[\xe8\xe9]"):  # call, jmp
            if target in stubs:
                yield at


_X86_REGISTERS: Final = (7, 6, 2, 1)  # edi, esi, edx, ecx
_X86_WRITES: Final[dict[int, re.Pattern[bytes]]] = {}


def _x86_writes(register: int) -> re.Pattern[bytes]:
    """Instructions that write a register; group 1 is the constant, if it is one."""
    to = bytes(0xC0 | source << 3 | register for source in range(8))
    out = bytes(mode << 6 | register << 3 | place for mode in range(4) for place in range(8))
    same = bytes([0xC0 | register << 3 | register])
    words = (
        rb"[\x41\x43\x45\x47\x49\x4b\x4d\x4f][\xb8-\xbf\xc7]",  # mov to r8 and above, which carry none of these
        rb"[\xc3\xe8\xe9\xeb]",  # ret, call, jmp: what was set before is not for this call
        re.escape(bytes([0x58 | register])),  # pop
        bytes([0xB8 | register]) + _ANY,  # mov $constant
        rb"\xc7" + re.escape(bytes([0xC0 | register])) + _ANY,
        b"\x31" + re.escape(same) + b"()",  # xor: zero
        b"\x83" + re.escape(bytes([0xC8 | register])) + rb"(\xff)",  # or: -1
        b"\x89[" + re.escape(to) + b"]",  # mov from a register
        b"[\x8b\x8d\x63][" + re.escape(out) + b"]",  # mov from memory, lea, movslq
        b"\x0f[\x40-\x4f\xb6\xb7\xbe\xbf][" + re.escape(out) + b"]",  # cmov, movz, movs
        b"[\x81\x83][" + re.escape(to) + b"]",  # add, sub, sbb and the like with a constant
        b"[\x01\x09\x11\x19\x21\x29][" + re.escape(to) + b"]",  # the same with a register
    )
    return re.compile(b"|".join(words))


def _x86_constant(code: bytes, at: int, argument: int) -> int | None:
    register = _X86_REGISTERS[argument]
    if argument not in _X86_WRITES:
        _X86_WRITES[argument] = _x86_writes(register)
    value = None
    for match in _X86_WRITES[argument].finditer(code, max(0, at - _BACK_BYTES), at):
        constant = next((group for group in match.groups() if group is not None), None)
        if constant is None:
            value = None
            continue
        value = int.from_bytes(constant, "little", signed=True)
    return value


# mov $6, %register; movl $6, memory; push $6; add $6, %register; lea 6(%register), %register
_X86_SMALL: Final = re.compile(
    rb"(?s:[\xb8-\xbf](.)\0\0\0|\xc7[\x40-\x47\x80-\x87].(?:...)?(.)\0\0\0|\x6a(.)|\x83[\xc0-\xc7](.)|\x8d[\x40-\x7f](.))"
)


def _x86_nearby(code: bytes, at: int) -> set[int]:
    groups = (match.groups() for match in _X86_SMALL.finditer(code, max(0, at - _BACK_BYTES), at))
    return {constant[0] for constants in groups for constant in constants if constant}


# AArch64: instructions are words.


def _arm_nearby(code: bytes, at: int) -> set[int]:
    words = [word for (word,) in struct.iter_unpack("<I", code[max(0, at - _BACK_BYTES) : at])]
    moved = {word >> 5 & 0xFFFF for word in words if word & 0x7FE00000 == 0x52800000}
    return moved | {word >> 10 & 0xFFF for word in words if word & 0x7FC00000 == 0x11000000}  # add


def _arm_sites(segment: Code, slots: set[int]) -> Iterator[int | None]:
    base, code = segment
    stubs = set()
    for match in re.finditer(rb"\x20\x02\x1f\xd6", code):  # br x17, the end of a stub
        at = match.start()
        if at % 4 == 0 and at >= 12:
            page, load = struct.unpack_from("<II", code, at - 12)
            if page & 0x9F00001F == 0x90000010 and load & 0xFFC003FF == 0xF9400211:  # adrp x16; ldr x17, [x16, ...]
                distance = (page >> 5 & 0x7FFFF) << 2 | page >> 29 & 3
                distance -= (distance & 1 << 20) << 1
                if ((base + at - 12) & ~0xFFF) + (distance << 12) + ((load >> 10 & 0xFFF) << 3) in slots:
                    stubs.add(base + at - 12)
    if not stubs:
        yield from [None] * bool(slots)
        return
    for match in re.finditer(b"(?=(?s:...)[\x14-\x17\x94-\x97])", code):  # b, bl; in other words, too
        at = match.start()
        if at % 4 == 0:
            word = struct.unpack_from("<I", code, at)[0] & 0x3FFFFFF
            if base + at + ((word - ((word & 1 << 25) << 1)) << 2) in stubs:
                yield at


def _arm_constant(code: bytes, at: int, argument: int) -> int | None:
    for before in range(at - 4, max(-1, at - _BACK_BYTES), -4):
        [word] = struct.unpack_from("<I", code, before)
        if word & 0x7C000000 == 0x14000000 or word & 0xFE000000 == 0xD6000000:  # b, bl, br, blr, ret
            return None  # what was set before is not for this call
        if word & 0x1F != argument:
            continue
        if word & 0x7FE0001F == 0x52800000 | argument:  # mov wN or xN, #constant
            return int(word >> 5 & 0xFFFF)
        if word & 0x7FE0001F == 0x12800000 | argument:  # mov wN or xN, #negative
            return ~int(word >> 5 & 0xFFFF)
        return 0 if word & 0x7FFFFFFF == 0x2A1F03E0 | argument else None  # mov wN or xN, zero
    return None

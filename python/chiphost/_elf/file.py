# SPDX-License-Identifier: Apache-2.0
"""One ELF file as the dynamic loader sees it: headers, dynamic section, symbols, relocations. Nothing is loaded.

Formats and names come from pyelftools. Tables with many entries are read in one go, because a library may have a
hundred thousand symbols. Only what the loader itself reads is relied on: a file without section headers is fine.

Every offset and count of a file is checked before it is used. A file that does not fit is a LoadError, and nothing else
is raised whatever the bytes are.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from elftools.elf import enums
from elftools.elf.structs import ELFStructs

from .contents import Contents, string_at
from .records import Code, Section, Segment, Symbol, VersionNeed

_MAGIC: Final = b"\x7fELF"
_IDENT_BYTES: Final = 16
# These limits are far above what linkers write. They keep a damaged file from costing minutes.
_SEGMENTS_MAX: Final = 512
_SECTIONS_MAX: Final = 8192
_TAGS_MAX: Final = 4096
_VERSIONS_MAX: Final = 8192
_CODE_BYTES_MAX: Final = 64 << 20
_PF_EXECUTE: Final = 1
_PF_WRITE: Final = 2

_RELOCATION_TYPES: Final = {
    "EM_X86_64": enums.ENUM_RELOC_TYPE_x64,
    "EM_AARCH64": enums.ENUM_RELOC_TYPE_AARCH64,
    "EM_386": enums.ENUM_RELOC_TYPE_i386,
    "EM_ARM": enums.ENUM_RELOC_TYPE_ARM,
}
_BINDINGS: Final = {number: name for name, number in enums.ENUM_ST_INFO_BIND.items() if name != "_default_"}
_TYPES: Final = {number: name for name, number in enums.ENUM_ST_INFO_TYPE.items() if name != "_default_"}
_BINDINGS[10], _TYPES[10] = "STB_GNU_UNIQUE", "STT_GNU_IFUNC"  # pyelftools has the names of other systems for 10
_VERSION_NUMBER: Final = 0x7FFF  # the bit above hides a version from new users
_VERSION_OF_FILE: Final = 1  # VER_FLG_BASE: names the file, no version


class ElfFile:
    """An ELF file of any class, byte order and processor.

    It can be read after it was closed, too: it is opened again for every read then, and must still be the same file. So
    many of them need no descriptors. Raises LoadError: FILE_UNREADABLE, NOT_ELF, FILE_TRUNCATED; properties that read
    further tables raise it too. For one thread.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the file and read its headers."""
        self.path = Path(os.fsdecode(os.fspath(path)))
        self._contents = Contents(self.path)
        self.bytes = self._contents.bytes
        try:
            self._read_headers()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> ElfFile:
        """Keep it open."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Give the descriptor back."""
        self._contents.close()

    # Headers.

    def _read_headers(self) -> None:
        ident = self._contents.read(0, min(self.bytes, _IDENT_BYTES))
        if ident[:4] != _MAGIC:
            raise self._contents.not_elf()
        if len(ident) < _IDENT_BYTES:
            raise self._contents.truncated("the ELF header", 0, _IDENT_BYTES)
        if ident[4] not in (1, 2) or ident[5] not in (1, 2):
            raise self._contents.broken(f"class {ident[4]} and byte order {ident[5]}; wanted 1 or 2 for each")
        self.bits = 32 * ident[4]
        self.little_endian = ident[5] == 1
        self._structs = ELFStructs(self.little_endian, self.bits)
        self._structs.create_basic_structs()
        header = self._contents.parse(self._structs.Elf_Ehdr, 0, "the ELF header")
        self._header = header
        self.type: str | int = header.e_type
        self.machine: str | int = header.e_machine
        self.osabi: str | int = header.e_ident["EI_OSABI"]
        self._structs.create_advanced_structs(header.e_type, header.e_machine, header.e_ident["EI_OSABI"])
        self.segments = self._read_segments()
        for segment in self.segments:
            if segment.type == "PT_LOAD" and segment.offset + segment.file_bytes > self.bytes:
                raise self._contents.truncated("a segment", segment.offset, segment.file_bytes)

    def _read_segments(self) -> list[Segment]:
        header, layout = self._header, self._structs.Elf_Phdr
        if header.e_phnum == 0:
            return []
        if header.e_phentsize != layout.sizeof() or header.e_phnum > _SEGMENTS_MAX:
            raise self._contents.broken(f"{header.e_phnum} program headers of {header.e_phentsize} bytes")
        return [
            Segment(p.p_type, p.p_offset, p.p_vaddr, p.p_filesz, p.p_memsz, p.p_flags, p.p_align)
            for p in self._contents.parse_all(layout, header.e_phoff, header.e_phnum, "the program headers")
        ]

    @cached_property
    def sections(self) -> list[Section]:
        """The section headers; none if they were stripped or make no sense, which the loader does not mind."""
        header, layout = self._header, self._structs.Elf_Shdr
        size = header.e_shnum * layout.sizeof()
        usable = 0 < header.e_shstrndx < header.e_shnum <= _SECTIONS_MAX and header.e_shentsize == layout.sizeof()
        if not usable or header.e_shoff + size > self.bytes:
            return []
        raw = self._contents.parse_all(layout, header.e_shoff, header.e_shnum, "the section headers")
        names = raw[header.e_shstrndx]
        if names.sh_offset + names.sh_size > self.bytes:
            return []
        strings = self._contents.read(names.sh_offset, names.sh_size)
        return [
            Section(
                string_at(strings, s.sh_name),
                s.sh_type,
                s.sh_flags,
                s.sh_addr,
                s.sh_offset,
                s.sh_size,
                s.sh_link,
                s.sh_info,
            )
            for s in raw
        ]

    def section_bytes(self, section: Section) -> bytes:
        """The content of a section."""
        return self._contents.read(section.offset, section.bytes)

    def relocated_symbols(self, number: int) -> Iterator[Symbol | None]:
        """The targets of the relocations of a section in an object file, one after the other; None for no target."""
        for section in self.sections:
            if section.type not in ("SHT_REL", "SHT_RELA") or section.info != number:
                continue
            entry = self._relocation_layout(section.type == "SHT_RELA")
            data = self._contents.read(section.offset, section.bytes // entry.size * entry.size)
            for fields in entry.iter_unpack(data):
                _, symbol = self._relocation(fields[1])
                yield self.full_symbols[symbol] if symbol < len(self.full_symbols) else None

    # The dynamic section.

    @cached_property
    def dynamic(self) -> dict[str, list[int]]:
        """Values of the dynamic section by the names of their tags; empty if there is none."""
        segment = next((segment for segment in self.segments if segment.type == "PT_DYNAMIC"), None)
        if segment is None:
            return {}
        entry = struct.Struct(self._order + ("qQ" if self.bits == 64 else "iI"))
        size = min(segment.file_bytes, _TAGS_MAX * entry.size) // entry.size * entry.size
        tags: dict[str, list[int]] = {}
        for tag, value in entry.iter_unpack(self._contents.read(segment.offset, size)):
            if tag == 0:
                break
            if name := _TAGS.get(tag):
                tags.setdefault(name, []).append(value)
        return tags

    def tag(self, name: str) -> int:
        """The first value of a tag, 0 if there is none."""
        return self.dynamic.get(name, [0])[0]

    @property
    def needed(self) -> list[str]:
        """DT_NEEDED."""
        return self._tag_strings("DT_NEEDED")

    @property
    def soname(self) -> str:
        """DT_SONAME, "" without one."""
        return next(iter(self._tag_strings("DT_SONAME")), "")

    @property
    def rpath(self) -> list[str]:
        """Folders of DT_RPATH; none if there is a DT_RUNPATH, which takes its place."""
        return [] if "DT_RUNPATH" in self.dynamic else self._folders("DT_RPATH")

    @property
    def runpath(self) -> list[str]:
        """Folders of DT_RUNPATH."""
        return self._folders("DT_RUNPATH")

    def flag(self, name: str) -> bool:
        """True if a flag of DT_FLAGS (DF_...) or of DT_FLAGS_1 (DF_1_...) is set."""
        if name.startswith("DF_1_"):
            return bool(self.tag("DT_FLAGS_1") & enums.ENUM_DT_FLAGS_1[name])
        return bool(self.tag("DT_FLAGS") & enums.ENUM_DT_FLAGS[name])

    def _folders(self, tag: str) -> list[str]:
        return [folder for path in self._tag_strings(tag) for folder in path.split(":") if folder]

    def _tag_strings(self, tag: str) -> list[str]:
        return [string_at(self._strings, offset) for offset in self.dynamic.get(tag, [])]

    @cached_property
    def _strings(self) -> bytes:
        return self._table("DT_STRTAB", self.tag("DT_STRSZ"))

    # Symbols and relocations.

    @cached_property
    def symbols(self) -> list[Symbol]:
        """The dynamic symbols, in the order of their numbers."""
        if "DT_SYMTAB" not in self.dynamic:
            return []
        size = self._count_symbols() * self._symbol_layout.size
        return self._symbols_of(self._table("DT_SYMTAB", size), self._strings)

    @cached_property
    def full_symbols(self) -> list[Symbol]:
        """The symbols for debuggers (.symtab); none in a stripped file."""
        table = next((section for section in self.sections if section.type == "SHT_SYMTAB"), None)
        if table is None or table.link >= len(self.sections):
            return []
        strings = self.sections[table.link]
        if max(table.offset + table.bytes, strings.offset + strings.bytes) > self.bytes:
            return []
        size = table.bytes // self._symbol_layout.size * self._symbol_layout.size
        data = self._contents.read(table.offset, size)
        return self._symbols_of(data, self._contents.read(strings.offset, strings.bytes))

    @cached_property
    def imports(self) -> dict[str, Symbol]:
        """Symbols that other files must define, by name."""
        return {symbol.name: symbol for symbol in self.symbols if symbol.name and not symbol.defined}

    @cached_property
    def exports(self) -> set[str]:
        """Names that other files can bind to."""
        return {symbol.name for symbol in self.symbols if symbol.exported}

    @cached_property
    def relocations(self) -> list[tuple[int, int, int]]:
        """Address, type and symbol number of each relocation but those that only add the load address."""
        found: list[tuple[int, int, int]] = []
        with_addend = self.tag("DT_PLTREL") == enums.ENUM_D_TAG["DT_RELA"]
        for table, size, explicit, skip in (
            ("DT_RELA", "DT_RELASZ", True, self.tag("DT_RELACOUNT")),
            ("DT_REL", "DT_RELSZ", False, self.tag("DT_RELCOUNT")),
            ("DT_JMPREL", "DT_PLTRELSZ", with_addend, 0),
        ):
            if table not in self.dynamic:
                continue
            entry = self._relocation_layout(explicit)
            data = self._table(table, self.tag(size) // entry.size * entry.size)[skip * entry.size :]
            found += [(fields[0], *self._relocation(fields[1])) for fields in entry.iter_unpack(data)]
        return found

    def _relocation_layout(self, with_addend: bool) -> struct.Struct:
        words = "QQ" if self.bits == 64 else "II"
        return struct.Struct(self._order + words + (self._signed if with_addend else ""))

    def _relocation(self, info: int) -> tuple[int, int]:
        """Type and symbol number of a relocation."""
        return (info & 0xFFFFFFFF, info >> 32) if self.bits == 64 else (info & 0xFF, info >> 8)

    @property
    def has_initial_exec(self) -> bool:
        """True if its code finds thread-local variables at a fixed distance from the thread's own address."""
        types = _RELOCATION_TYPES.get(str(self.machine), {})
        # Not DTPOFF, DTPREL: these are distances in a block that __tls_get_addr finds.
        fixed = {number for name, number in types.items() if ("TPOFF" in name or "TPREL" in name) and "DTP" not in name}
        return self.flag("DF_STATIC_TLS") or any(kind in fixed for _, kind, _ in self.relocations)

    @property
    def _symbol_layout(self) -> struct.Struct:
        return struct.Struct(self._order + ("IBBHQQ" if self.bits == 64 else "IIIBBH"))

    def _symbols_of(self, table: bytes, strings: bytes) -> list[Symbol]:
        fields = self._symbol_layout.iter_unpack(table)
        if self.bits == 32:
            fields = ((name, info, other, section, value, size) for name, value, size, info, other, section in fields)
        return [
            Symbol(
                string_at(strings, name),
                _BINDINGS.get(info >> 4, ""),
                _TYPES.get(info & 15, ""),
                other & 3,
                section,
                value,
                size,
            )
            for name, info, other, section, value, size in fields
        ]

    def _count_symbols(self) -> int:
        """The number of dynamic symbols. No tag gives it; the hash tables do."""
        if "DT_HASH" in self.dynamic:
            # Alpha and s390x have words of 64 bits here.
            wide = self.bits == 64 and self.machine in ("EM_ALPHA", "EM_S390")
            return int(
                struct.unpack(self._order + ("QQ" if wide else "II"), self._table("DT_HASH", 16 if wide else 8))[1]
            )
        if "DT_GNU_HASH" in self.dynamic:
            return self._count_symbols_by_gnu_hash()
        return max(self.tag("DT_STRTAB") - self.tag("DT_SYMTAB"), 0) // self._symbol_layout.size  # they are neighbours

    def _count_symbols_by_gnu_hash(self) -> int:
        buckets, first, bloom_words, _ = struct.unpack(self._order + "IIII", self._table("DT_GNU_HASH", 16))
        start = 16 + bloom_words * self.bits // 8
        table = self._table("DT_GNU_HASH", start + 4 * buckets)
        last = max(struct.unpack_from(f"{self._order}{buckets}I", table, start), default=0)
        if last < first:
            return int(first)  # nothing is exported
        # The chain of the last bucket ends with the last symbol, marked by bit 0.
        offset = self._offset(self.tag("DT_GNU_HASH")) + start + 4 * buckets + 4 * (last - first)
        chain = self._contents.read(offset, max(min(self.bytes - offset, 1 << 20), 0) // 4 * 4)
        for (value,) in struct.iter_unpack(self._order + "I", chain):
            last += 1
            if value & 1:
                return int(last)
        raise self._contents.broken("the symbol hash table has no end")

    # Symbol versions.

    def version_of(self, symbol: Symbol) -> str:
        """The version under which the file defines a symbol, "" without one."""
        return self._versions_by_number.get(self._version_numbers.get(symbol.name, 0), "")

    @cached_property
    def import_libraries(self) -> dict[str, str]:
        """The libraries that define symbols which the file imports, by the symbols' names, where a version says it."""
        if "DT_VERSYM" not in self.dynamic:
            return {}
        libraries = {
            version.vna_other & _VERSION_NUMBER: string_at(self._strings, need.vn_file)
            for offset, need in self._chain("DT_VERNEED", self._structs.Elf_Verneed, "vn_next")
            for _, version in self._chain_at(offset + need.vn_aux, self._structs.Elf_Vernaux, "vna_next", need.vn_cnt)
        }
        numbers = struct.iter_unpack(self._order + "H", self._table("DT_VERSYM", 2 * len(self.symbols)))
        return {
            symbol.name: libraries[number & _VERSION_NUMBER]
            for symbol, (number,) in zip(self.symbols, numbers, strict=True)
            if not symbol.defined and number & _VERSION_NUMBER in libraries
        }

    @cached_property
    def _version_numbers(self) -> dict[str, int]:
        """Numbers of versions by the names of the symbols that the file defines."""
        if "DT_VERSYM" not in self.dynamic:
            return {}
        numbers = struct.iter_unpack(self._order + "H", self._table("DT_VERSYM", 2 * len(self.symbols)))
        return {
            symbol.name: number & _VERSION_NUMBER
            for symbol, (number,) in zip(self.symbols, numbers, strict=True)
            if symbol.defined
        }

    @cached_property
    def _versions_by_number(self) -> dict[int, str]:
        return {
            version.vd_ndx & _VERSION_NUMBER: string_at(self._strings, name.vda_name)
            for offset, version in self._chain("DT_VERDEF", self._structs.Elf_Verdef, "vd_next")
            if not version.vd_flags & _VERSION_OF_FILE
            for _, name in self._chain_at(offset + version.vd_aux, self._structs.Elf_Verdaux, "vda_next", 1)
        }

    @cached_property
    def version_needs(self) -> list[VersionNeed]:
        """Versions that the dependencies must have (DT_VERNEED)."""
        needs = []
        for offset, need in self._chain("DT_VERNEED", self._structs.Elf_Verneed, "vn_next"):
            library = string_at(self._strings, need.vn_file)
            for _, version in self._chain_at(offset + need.vn_aux, self._structs.Elf_Vernaux, "vna_next", need.vn_cnt):
                needs.append(
                    VersionNeed(library, string_at(self._strings, version.vna_name), bool(version.vna_flags & 2))
                )
        return needs

    @cached_property
    def version_definitions(self) -> set[str]:
        """Versions that this file defines (DT_VERDEF)."""
        return {
            string_at(self._strings, name.vda_name)
            for offset, version in self._chain("DT_VERDEF", self._structs.Elf_Verdef, "vd_next")
            for _, name in self._chain_at(offset + version.vd_aux, self._structs.Elf_Verdaux, "vda_next", 1)
        }

    def _chain(self, tag: str, layout: Any, next_field: str) -> Iterator[tuple[int, Any]]:
        if tag in self.dynamic:
            yield from self._chain_at(self._offset(self.tag(tag)), layout, next_field, _VERSIONS_MAX)

    def _chain_at(self, offset: int, layout: Any, next_field: str, count: int) -> Iterator[tuple[int, Any]]:
        """Records of which each gives the distance to the next; the last one has 0."""
        for _ in range(min(count, _VERSIONS_MAX)):
            record = self._contents.parse(layout, offset, "the symbol versions")
            yield offset, record
            distance = record[next_field]
            if distance == 0:
                return
            if distance < layout.sizeof():
                raise self._contents.broken("records of symbol versions overlap")
            offset += distance

    # Small things in segments.

    @property
    def tls_bytes(self) -> int:
        """Size of its thread-local variables for one thread, alignment included."""
        for segment in self.segments:
            if segment.type == "PT_TLS":
                align = max(segment.align, 1)
                return (segment.memory_bytes + align - 1) // align * align
        return 0

    @property
    def code(self) -> Iterator[Code]:
        """The segments with code, of each the first 64 MB."""
        for segment in self.segments:
            if segment.type == "PT_LOAD" and segment.flags & _PF_EXECUTE:
                data = self._contents.read(segment.offset, min(segment.file_bytes, _CODE_BYTES_MAX))
                yield Code(segment.address, data)

    def count_in_code(self, pattern: bytes) -> int:
        """The number of times that bytes occur in the code."""
        return sum(code.data.count(pattern) for code in self.code)

    def holds_state(self, symbol: Symbol) -> bool:
        """True if a symbol is a variable that code may change: writable data, and not only while it is loaded."""
        if not symbol.defined or symbol.type not in ("STT_OBJECT", "STT_COMMON", "STT_TLS", "STT_NOTYPE"):
            return False
        if symbol.type == "STT_TLS":
            return True

        def inside(type: str, flags: int) -> bool:
            return any(
                segment.type == type
                and segment.flags & flags == flags
                and 0 <= symbol.address - segment.address < segment.memory_bytes
                for segment in self.segments
            )

        return inside("PT_LOAD", _PF_WRITE) and not inside("PT_GNU_RELRO", 0)

    @cached_property
    def build_id(self) -> str:
        """The linker's build id in hex, "" without one."""
        for segment in self.segments:
            if segment.type == "PT_NOTE":
                notes, at = self._contents.read(segment.offset, min(segment.file_bytes, 1 << 16)), 0
                while at + 12 <= len(notes):
                    name_bytes, bytes_, kind = struct.unpack_from(self._order + "III", notes, at)
                    name, content = at + 12, at + 12 + (name_bytes + 3) // 4 * 4
                    if kind == 3 and notes[name : name + name_bytes] == b"GNU\0":
                        return notes[content : content + min(bytes_, 64)].hex()
                    at = content + (bytes_ + 3) // 4 * 4
        return ""

    # Reading.

    @property
    def _order(self) -> str:
        return "<" if self.little_endian else ">"

    @property
    def _signed(self) -> str:
        return "q" if self.bits == 64 else "i"

    def _offset(self, address: int) -> int:
        """The offset in the file from which an address of the loaded library comes."""
        for segment in self.segments:
            if segment.type == "PT_LOAD" and 0 <= address - segment.address < segment.file_bytes:
                return segment.offset + address - segment.address
        raise self._contents.broken(f"the dynamic section names address {address:#x}, which is in no segment")

    def _table(self, tag: str, size: int) -> bytes:
        """Bytes of a table whose address a tag gives."""
        return self._contents.read(self._offset(self.tag(tag)), size) if size and tag in self.dynamic else b""


# Some numbers have several names, for other processors and systems: the first one is the general one.
_TAGS: Final[dict[int, str]] = {}
for _name, _number in enums.ENUM_D_TAG.items():
    if isinstance(_number, int):
        _TAGS.setdefault(_number, _name)

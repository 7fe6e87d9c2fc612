# SPDX-License-Identifier: Apache-2.0
"""Audit checks: a library's variables, those of each thread too, and the code that sets them up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .._elf.file import ElfFile
from .finding import Finding, make_finding, some
from .subject import Subject

_OPENMP: Final = ("libgomp.so", "libomp.so", "libiomp5.so")
# The size in libgomp, rounded up.
_OPENMP_TLS: Final = 144
# Sections in which compiler and linker put writable data that is no variable of the program's.
_LINKER_SECTIONS: Final = (
    ".dynamic",
    ".got",
    ".got.plt",
    ".init_array",
    ".fini_array",
    ".preinit_array",
    ".data.rel.ro",
    ".data.rel.ro.local",
    ".tm_clone_table",
    ".eh_frame",
    ".ctors",
    ".dtors",
    ".jcr",
    ".relro_padding",
)
_SHF_WRITE, _SHF_ALLOC = 1, 2
_PF_WRITE: Final = 2
# Bytes that the toolchain itself puts into .data and .bss of every library: a pointer and a flag.
_TOOLCHAIN_BYTES: Final = 16
_TOOLCHAIN_VARIABLES: Final = (
    "__dso_handle",
    "__aarch64_have_lse_atomics",
    "__aarch64_cpu_features",
    "__cpu_model",
    "__cpu_features2",
)


def threads(subject: Subject) -> Iterator[Finding]:
    """Does it have memory for each thread, or a runtime that makes threads?"""
    if size := subject.file.tls_bytes:
        yield make_finding(
            "thread-local-storage",
            f"{size} bytes of thread-local variables",
            "A thread made inside a namespace that touches them must not end there. chiphost's never do.",
            facts=("H4",),
            bytes=size,
        )
    if openmp := [name for name in subject.needed if name.startswith(_OPENMP)]:
        yield make_finding(
            "openmp",
            f"OpenMP ({some(openmp)})",
            "Its runtime takes static TLS of every namespace, and makes threads for each thread that enters it.",
            f"start with {subject.host_process.tunables_for(_OPENMP_TLS)} to have more namespaces",
            facts=("C3", "H4"),
            symbols=openmp,
            namespace="care",
            copy="care",
        )


def load(subject: Subject) -> Iterator[Finding]:
    """Does loading it run code, or leave anything behind?"""
    file = subject.file
    count = file.tag("DT_INIT_ARRAYSZ") // (file.bits // 8)
    if "DT_INIT" in file.dynamic:  # the compiler's start files, which bring an entry of their own
        count -= 1
    if count > 0:
        yield make_finding(
            "constructors",
            f"{count} constructors or initialisers of variables",
            "They run while it is loaded, on one of the namespace's own threads; what hangs in them holds the loader.",
            "do the work in a function that the caller calls",
            facts=("H5",),
            count=count,
        )
    if state := _state(file):
        size, names = state
        yield make_finding(
            "state",
            f"{size} bytes of variables" + (f": {some(names)}" if names else ""),
            "This is what isolation keeps apart. A library without any could be shared.",
            symbols=names,
            bytes=size,
        )


def _state(file: ElfFile) -> tuple[int, list[str]] | None:
    """Size and names, largest first, of the variables that code may change; None if there are none."""
    writable = {
        number: section
        for number, section in enumerate(file.sections)
        if section.flags & _SHF_ALLOC and section.flags & _SHF_WRITE and section.name not in _LINKER_SECTIONS
    }
    if not file.sections:
        size = _writable_segment_bytes(file)
        return (size, []) if size > _TOOLCHAIN_BYTES else None
    symbols = file.full_symbols or file.symbols
    named = {s.name: s.bytes for s in symbols if s.section in writable and s.bytes and not _of_toolchain(s.name)}
    names = sorted(named, key=lambda name: (-named[name], name))
    if file.full_symbols and named:
        return sum(named.values()), names
    size = sum(section.bytes for section in writable.values())
    # crtbeginS.o gives its pointer __dso_handle no size.
    size -= sum(max(s.bytes, 8) for s in symbols if s.section in writable and _of_toolchain(s.name))
    return (size, names) if names or size > _TOOLCHAIN_BYTES else None


def _of_toolchain(name: str) -> bool:
    """True for the variables of `is_toolchain_variable` in elf_image.cpp, which says where they come from."""
    return name in _TOOLCHAIN_VARIABLES or name.startswith(("completed.", "DW.ref."))


def _writable_segment_bytes(file: ElfFile) -> int:
    """An upper limit: without section headers, tables of the linker cannot be told from variables."""
    fixed = [(s.address, s.address + s.memory_bytes) for s in file.segments if s.type == "PT_GNU_RELRO"]
    size = 0
    for segment in file.segments:
        if segment.type == "PT_LOAD" and segment.flags & _PF_WRITE:
            start, end = segment.address, segment.address + segment.memory_bytes
            size += end - start - sum(max(min(end, last) - max(start, first), 0) for first, last in fixed)
    return size

# SPDX-License-Identifier: Apache-2.0
"""Audit checks: variables that copies and later loads share, and libraries that are never unloaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .._elf.file import ElfFile
from ..errors import LoadError
from .finding import Finding, make_finding, some
from .subject import Subject

_CXX_TABLES: Final = ("_ZTV", "_ZTI", "_ZTS", "_ZTT", "_ZTC")


def pins(subject: Subject) -> Iterator[Finding]:
    """Can it be unloaded?"""
    if unique := _unique(subject.file):
        yield make_finding(
            "unique-symbols",
            f"{len(unique)} STB_GNU_UNIQUE: {some(unique)}",
            "It is never unloaded, and all loads in one namespace share these variables: copies are not apart.",
            "-fno-gnu-unique",
            facts=("H1",),
            symbols=unique,
            copy="no",
            recycle="no",
        )
    if subject.file.flag("DF_1_NODELETE"):
        yield make_finding(
            "no-delete",
            "DF_1_NODELETE is set",
            "It is never unloaded; each copy stays for the life of the process.",
            "link it without -Wl,-z,nodelete",
            facts=("H2",),
            copy="care",
            recycle="no",
        )
    pinned = [
        dependency.name
        for dependency in subject.dependencies.all
        if (file := dependency.file)
        and not dependency.of_the_implementation
        and (file.flag("DF_1_NODELETE") or _unique(file))
    ]
    if pinned:
        yield make_finding(
            "pinned-dependencies",
            f"dependencies that are never unloaded: {some(pinned)}",
            "Something is left in the namespace after close, with the state that it has: it goes to no other library.",
            "build them with -fno-gnu-unique and without -Wl,-z,nodelete",
            facts=("H1", "C7"),
            symbols=pinned,
            recycle="no",
        )


def _unique(file: ElfFile) -> list[str]:
    return [symbol.name for symbol in file.symbols if symbol.binding == "STB_GNU_UNIQUE" and symbol.defined]


def copies(subject: Subject) -> Iterator[Finding]:
    """Does a private copy share anything after all?"""
    others = [d.name for d in subject.dependencies.all if d.file and not d.of_the_implementation]
    if others:
        yield make_finding(
            "shared-dependencies",
            f"needs {some(others)}",
            "A copy is of the file alone: what it needs is shared by all copies and the program, state included.",
            "link them statically with -Wl,--exclude-libs,ALL; or use namespace",
            facts=("C8",),
            symbols=others,
            copy="care",
        )
    file, clashes, state = subject.file, dict[str, str](), list[str]()
    for symbol in subject.preemptible:
        if owner := subject.host_process.defines(symbol.name, file.version_of(symbol)):
            clashes[symbol.name] = owner
            # Type descriptions and tables of virtual functions are the same everywhere, and nobody writes to them.
            if file.holds_state(symbol) and not symbol.name.startswith(_CXX_TABLES):
                state.append(symbol.name)
    if clashes:
        owners = dict.fromkeys(clashes.values())
        itself = any(_same_library(owner, file) for owner in owners)
        of_these = f"; variables of its own among them: {some(state)}" if state else ""
        yield make_finding(
            "clashes",
            f"{len(clashes)} of its symbols are also in {some(owners)}: {some(clashes)}{of_these}",
            ("The program has this very library, or another version of it: " if itself else "")
            + "a copy's own calls and references by these names end in the program's, not in the copy."
            + (" So these variables are not apart, and are set up and torn down twice." if state else ""),
            "-Wl,-Bsymbolic, or -fvisibility=hidden and export only what others call",
            facts=("C8",),
            symbols=[*state, *(name for name in clashes if name not in state)],
            copy="no" if itself or state else "care",
        )


def _same_library(owner: str, file: ElfFile) -> bool:
    """True if the file with the path `owner` is the same, or has the same name for files that need it."""
    try:
        if Path(owner).samefile(file.path):
            return True
        with ElfFile(owner) as other:
            return bool(file.soname) and other.soname == file.soname
    except (OSError, ValueError, LoadError):
        return False

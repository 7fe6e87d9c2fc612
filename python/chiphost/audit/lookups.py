# SPDX-License-Identifier: Apache-2.0
"""Audit checks: lookups of symbols by name with RTLD_DEFAULT."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from .._elf.calls import passed
from .finding import Finding, make_finding, some
from .subject import Subject

_LOOKUPS: Final = ("dlsym", "dlvsym")
# Processors for which chiphost has lookups of its own in namespaces: see default_lookups.h.
_OWN_LOOKUPS: Final = ("x86_64", "aarch64")
_LOOKUP_HANGS: Final = (
    " In a namespace that chiphost has not made, one that finds nothing leaves its thread marked as looking: any later "
    "dlclose of the process waits for it for ever, and holds the loader."
)
# glibc from this version on is known not to have H15. The last version that has it is not known.
_FAILED_LOOKUP_IS_HARMLESS: Final = (2, 41)


def default_lookup(subject: Subject) -> Iterator[Finding]:
    """Does it look symbols up by name, or is it to be found so?"""
    names = subject.imported(*_LOOKUPS)
    if subject.default_lookup:
        yield make_finding(
            "default-lookup",
            "lookups with RTLD_DEFAULT are to find its symbols",
            "They do in a namespace and in a process of its own. A copy is in the program's own namespace, where the "
            "program and all copies would find them, too.",
            "use namespace or process",
            facts=("H9",),
            symbols=names,
            namespace="ok" if os.uname().machine in _OWN_LOOKUPS else "no",
            copy="no",
        )
        return
    seen = [
        file.soname or file.path.name
        for file in subject.files
        if 0 in passed(file, _LOOKUPS, argument=0).values  # RTLD_DEFAULT
    ]
    if not names and not seen:
        return
    how = f"with RTLD_DEFAULT in {some(seen)}" if seen else "with RTLD_DEFAULT, maybe"
    imports = f" (imports {some(names)})" if names else ""
    glibc = subject.host_process.glibc
    hangs = glibc is not None and glibc < _FAILED_LOOKUP_IS_HARMLESS
    yield make_finding(
        "default-lookup",
        f"looks symbols up by name, {how}{imports}",
        "Isolated code finds the C and C++ libraries so, and what it was loaded with, but no library beside: what it "
        "looks for may be missing, and nobody is told." + (_LOOKUP_HANGS if hangs else ""),
        "open the library that has the symbols with default_lookup=True; or look them up in the handle that dlopen "
        "returned",
        facts=("H9", "H15") if hangs else ("H9",),
        symbols=names or seen,
        namespace="no" if seen and hangs else "care",
        copy="care" if names else "ok",
        process="care" if seen else "ok",
    )

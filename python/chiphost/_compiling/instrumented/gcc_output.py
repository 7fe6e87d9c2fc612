# SPDX-License-Identifier: Apache-2.0
"""What g++ does not instrument, found in its assembler text and in its dump of the optimised functions.

g++ instruments every assignment. It does not instrument inline assembly, builtin functions that become instructions,
and functions that are marked so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .assembler_text import touches_memory
from .unchecked import Unchecked

# -fdump-tree-optimized-lineno writes this as the last tree dump.
DUMP_OPTION: Final = "-fdump-tree-optimized-lineno"

_BEGIN: Final = re.compile(r"\s*(?:#|//|@) ?APP\b")
_END: Final = re.compile(r"\s*(?:#|//|@) ?NO_APP\b")
_LINE: Final = re.compile(r'\s*(?:#|//|@) (\d+) "(.*)" \d')  # before inline assembly in a function; 0 ends it

_FUNCTION: Final = re.compile(r"^;; Function (.*?) \(")
_EXCLUDED: Final = re.compile(r"^__attribute__\(\(.*\bno_sanitize[ _(]+.*(?:thread|all)")
_PLACE: Final = re.compile(r"^\s*\[([^\s\[\]]+:\d+):\d+")
_NAMED: Final = re.compile(r"(?<!\w)__builtin_(\w+) \(")
_ACCESSES: Final = re.compile(
    r"ia32_\w*(load|store|gather|scatter|movnt|maskmov|lddqu|vbroadcast[fi]\d+|movdir|enqcmd|clzero|xsave|xrstor|fxsave"
    r"|fxrstor)"
    r"|(aarch64|neon|arm)_(simd_)?v?(ld|st)\d?"
    r"|(mem(cpy|set|move|pcpy|cmp|chr)|str\w+|bcopy|bzero|bcmp)$"
)
# Instructions whose operand is not memory of the program's data.
_NO_ACCESSES: Final = re.compile(r"ia32_(ldmxcsr|stmxcsr|clflush\w*|clwb)")


def in_assembler_text(text: str) -> Iterator[Unchecked]:
    """Inline assembly that does something, with the line where it is."""
    inside, place = False, ""
    for line in text.splitlines():
        if _BEGIN.match(line):
            inside, place = True, ""
        elif _END.match(line):
            inside = False
        elif marked := _LINE.match(line):
            inside = marked[1] != "0"
            place = f"{marked[2]}:{marked[1]}"
        elif inside and touches_memory(line):
            yield Unchecked("inline assembly", place)


def in_dump(text: str) -> Iterator[Unchecked]:
    """Builtin functions that access memory and are no calls, and functions that are not instrumented."""
    function, place = "", ""
    for line in text.splitlines():
        if begins := _FUNCTION.match(line):
            function, place = begins[1], ""
        elif _EXCLUDED.match(line):
            yield Unchecked(f"the function {function} is marked no_sanitize")
        if (at := _PLACE.match(line)) and not (place and at[1].startswith("/usr/")):
            place = at[1]  # the user's line, of an instruction that a header of the compiler asks for
        if "# DEBUG" in line:
            continue
        for name in _NAMED.findall(line):
            if _ACCESSES.match(name) and not _NO_ACCESSES.match(name):
                yield Unchecked(f"__builtin_{name}, whose accesses g++ does not instrument", place)

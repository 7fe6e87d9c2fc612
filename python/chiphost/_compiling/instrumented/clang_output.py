# SPDX-License-Identifier: Apache-2.0
"""What clang++ does not instrument, found in the code that it hands to its code generator, as text (LLVM's IR).

clang++ instruments loads and stores of 1, 2, 4, 8 and 16 bytes. It does not instrument others, such as those of wide
vectors, nor inline assembly, instructions that are functions of LLVM, and functions that are marked so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .assembler_text import touches_memory
from .llvm_places import Places
from .llvm_types import bits_of, first_type
from .unchecked import Unchecked

_INSTRUMENTED_BITS: Final = (8, 16, 32, 64, 128)
_DEFINE: Final = re.compile(r"define .*?@\"?([^\s(\"]+)\"?\(.*?\).*? #(\d+)")
_ATTRIBUTES: Final = re.compile(r"attributes #(\d+) = \{(.*)\}")
_OF_THE_COMPILER: Final = re.compile(r"tsan\.module_ctor|__clang_call_terminate|_GLOBAL__|__cxx_global_|__cxx_|asan\.")
_MODULE_ASM: Final = re.compile(r'module asm "(.*)"')
_LOCAL: Final = re.compile(r"\s+(%[\w.]+|%\"[^\"]+\") = (alloca|bitcast|getelementptr|addrspacecast)\b(.*)")
_NAME: Final = re.compile(r"[%@](?:[\w.$-]+|\"[^\"]+\")")
_LOAD: Final = re.compile(r"\s+(?:%\S+ = )?load (?:atomic |volatile )*(.*)")
_STORE: Final = re.compile(r"\s+store (?:atomic |volatile )*(.*)")
_ASM: Final = re.compile(r"\bcall(?:br)? .*?\basm (?:sideeffect |alignstack |inteldialect |unwind )*\"([^\"]*)\"")
_CALL: Final = re.compile(r"\bcall .*?@(llvm\.[\w.]+)\((.*)\)")
_WITH_ACCESSES: Final = re.compile(
    r"llvm\.(masked\.|vp\.|mem(cpy|set|move)\b|x86\.|aarch64\.|arm\.)(?!.*(mxcsr|clflush|clwb))"
)
_POINTER: Final = re.compile(r"\bptr\b|\*")
_DEBUG: Final = re.compile(r"!dbg !(\d+)")
_QUOTED: Final = re.compile(r"\\([0-9A-Fa-f]{2})")


def in_ir(text: str) -> Iterator[Unchecked]:
    """Accesses that are not instrumented, with the user's line where they are."""
    places: Places | None = None  # read when the first one is asked for: most programs have none
    for reason, line in _found(text):
        places = places or Places(text)
        marked = _DEBUG.search(line)
        yield Unchecked(reason, places.of(int(marked[1])) if marked else "")


def _found(text: str) -> Iterator[tuple[str, str]]:
    """Reasons, each with the line of the text that it is about."""
    attributes = {each[1]: each[2] for each in map(_ATTRIBUTES.match, text.splitlines()) if each}
    function = _Function()
    for line in text.splitlines():
        if line.startswith("define "):
            function = _Function()
            begins = _DEFINE.match(line)
            if begins and not _OF_THE_COMPILER.match(begins[1]) and "sanitize_thread" not in attributes[begins[2]]:
                yield f"the function {begins[1]} is marked no_sanitize", line
        elif line.startswith("module asm"):
            if (assembly := _MODULE_ASM.match(line)) and _does_something(assembly[1]):
                yield "inline assembly", ""
        elif line.startswith("  ") and (reason := function.reason(line)):
            yield reason, line


class _Function:
    """One function: it knows which names stand for memory of the function itself, which nobody else uses."""

    def __init__(self) -> None:
        self._own: set[str] = set()

    def reason(self, line: str) -> str:
        """Why a line is an access that is not instrumented; empty if it is none."""
        if named := _LOCAL.match(line):
            if named[2] == "alloca" or self._is_own(_based_on(named[2], named[3])):
                self._own.add(named[1])
            return ""
        if loaded := _LOAD.match(line):
            return self._access("load", loaded[1])
        if stored := _STORE.match(line):
            return self._access("store", stored[1])
        if assembly := _ASM.search(line):
            return "inline assembly" if _does_something(assembly[1]) else ""
        if "@llvm." in line and (called := _CALL.search(line)) and _WITH_ACCESSES.match(called[1]):
            pointers = [each for each in _arguments(called[2]) if _POINTER.search(each)]
            if not all(map(self._is_own, pointers)):
                return f"{called[1]}, whose accesses clang++ does not instrument"
        return ""

    def _access(self, what: str, operands: str) -> str:
        kind = first_type(operands)
        bits = bits_of(kind)
        address = _arguments(operands)[1:2]
        if bits in _INSTRUMENTED_BITS or (address and self._is_own(address[0])):
            return ""
        size = f"of {bits // 8} bytes" if bits else f"of the type {kind}"
        return f"a {what} {size}, which clang++ does not instrument"

    def _is_own(self, operand: str) -> bool:
        """True if an address is in memory of the function, or in a global variable of the program."""
        names = _NAME.findall(operand)
        return bool(names) and (names[-1] in self._own or names[-1].startswith("@"))


def _based_on(operation: str, operands: str) -> str:
    """The operand from which an operation makes another address."""
    if operation == "getelementptr":
        return next(iter(_arguments(operands)[1:2]), "")
    return operands.partition(" to ")[0]


def _does_something(assembly: str) -> bool:
    text = _QUOTED.sub(lambda found: chr(int(found[1], 16)), assembly)
    return any(map(touches_memory, text.splitlines()))


def _arguments(text: str) -> list[str]:
    """Operands, split at the commas outside of brackets."""
    parts, depth, begin = [], 0, 0
    for at, letter in enumerate(text):
        if letter in "(<[{":
            depth += 1
        elif letter in ")>]}":
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append(text[begin:at])
            begin = at + 1
    return [*parts, text[begin:]]

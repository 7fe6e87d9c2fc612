# SPDX-License-Identifier: Apache-2.0
"""The types of LLVM's IR in text: where one ends, and how many bits it has."""

from __future__ import annotations

import re
from typing import Final

_SCALAR_BITS: Final = {
    "half": 16,
    "bfloat": 16,
    "float": 32,
    "double": 64,
    "x86_fp80": 80,
    "fp128": 128,
    "ppc_fp128": 128,
    "x86_mmx": 64,
}
_POINTER_BITS: Final = 64
_REPEATED: Final = re.compile(r"[<\[](\d+) x (.*)[>\]]")
_INTEGER: Final = re.compile(r"i(\d+)")
_WORD: Final = re.compile(r"(?:[\w.%]|\"[^\"]*\")+")


def first_type(operands: str) -> str:
    """The type with which operands begin, for example "<8 x float>" of "<8 x float> %value, ptr %address"."""
    end = _end_of_brackets(operands) if operands[:1] in ("<", "[", "{") else 0
    if end == 0:
        word = _WORD.match(operands)
        end = word.end() if word else 0
    while True:  # pointers of compilers before 15: a type, perhaps arguments of a function, and a star
        rest = operands[end:]
        if rest.startswith("*"):
            end += 1
        elif rest.startswith(" (") and (length := _end_of_brackets(rest[1:])) and rest[1 + length :][:1] == "*":
            end += 1 + length
        else:
            return operands[:end]


def bits_of(kind: str) -> int:
    """The number of bits of a type in memory; 0 if it is none that this function knows."""
    if kind.endswith("*") or kind == "ptr":
        return _POINTER_BITS
    if kind in _SCALAR_BITS:
        return _SCALAR_BITS[kind]
    if integer := _INTEGER.fullmatch(kind):
        return (int(integer[1]) + 7) // 8 * 8
    if repeated := _REPEATED.fullmatch(kind):
        element = repeated[2]
        each = int(element[1:]) if kind[0] == "<" and _INTEGER.fullmatch(element) else bits_of(element)
        return int(repeated[1]) * each
    return 0


def _end_of_brackets(text: str) -> int:
    """The length of the bracketed beginning of a text; 0 if its brackets do not end."""
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter in "(<[{") - (letter in ")>]}")
        if depth == 0:
            return at + 1
    return 0

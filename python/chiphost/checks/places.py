# SPDX-License-Identifier: Apache-2.0
"""Places in texts of the runtime, which knows addresses and numbers: replaced by lines of sources and by names.

A text has `[orchestration+0x1a2b]` for an address in the file of the orchestration, `[func_id 3+0x77,0x1c]` for one in
a kernel with its callers, and `[argument 1]` for an array that the run was given, counted without the numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from .._text.printable import one_line
from ..binary import Binary
from ..callable import ChipCallable
from .code_lines import CodeLines
from .names import Names

_CODE: Final = re.compile(r"\[(?:orchestration|func_id (\d+))\+((?:0x[0-9a-f]+,?)+)\]")
_ARGUMENT: Final = re.compile(r"\[argument (\d+)\]")


class Places:
    """The places that some texts name, all looked up at once."""

    def __init__(self, callable: ChipCallable, texts: Sequence[str]) -> None:
        """Keep the callable that was run, and look up the addresses that the texts name."""
        self._callable = callable
        self._arrays: Final = [arg.name for arg in callable.signature or () if arg.kind != "scalar"]
        stacks: dict[str | None, list[list[int]]] = {}
        for text in texts:
            for found in _CODE.finditer(text):
                stacks.setdefault(found[1], []).append(_addresses(found[2]))
        self._lines: Final = {
            program: CodeLines(binary.data, stacks[program], binary.source_folder)
            for program in stacks
            if (binary := self._binary(program)) is not None
        }
        self._names: Final = Names()

    def named(self, text: str) -> str:
        """One of the texts, for a person."""
        return _ARGUMENT.sub(self._argument, _CODE.sub(self._line, text))

    def _line(self, found: re.Match[str]) -> str:
        binary = self._binary(found[1])
        if binary is None:
            return found[0]
        line = self._lines[found[1]].line(_addresses(found[2]))
        return self._names.line(line) or f"{one_line(binary.name)}+{found[2].split(',')[0]}"

    def _argument(self, found: re.Match[str]) -> str:
        number = int(found[1])
        if number < len(self._arrays):
            return f"argument `{one_line(self._arrays[number])}`"
        return f"array {number} of the arguments"

    def _binary(self, func_id: str | None) -> Binary | None:
        if func_id is None:
            return self._callable.orchestration
        return next((binary for number, _, binary in self._callable.kernels if number == int(func_id)), None)


def _addresses(text: str) -> list[int]:
    return [int(each, 16) for each in text.split(",") if each]

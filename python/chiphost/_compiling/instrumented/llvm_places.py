# SPDX-License-Identifier: Apache-2.0
"""The lines of the source in LLVM's IR: its debugging information, as text."""

from __future__ import annotations

import re
from typing import Final

_RECORD: Final = re.compile(r"^!(\d+) = (?:distinct )?!DI(\w+)\((.*)\)$", re.MULTILINE)
_FIELD: Final = re.compile(r'(\w+): (?:!(\d+)|"((?:[^"\\]|\\.)*)"|(\d+))')
_SYSTEM: Final = "/usr/"
_DEPTH_MAX: Final = 64


class Places:
    """The places of instructions by the numbers of their !dbg."""

    def __init__(self, text: str) -> None:
        """Read the records of a module."""
        self._records: Final = {int(number): (kind, fields) for number, kind, fields in _RECORD.findall(text)}

    def of(self, number: int) -> str:
        """The "file:line" of an instruction: the innermost that is not a header of the system; "" if unknown."""
        place = ""
        for _ in range(_DEPTH_MAX):
            fields = self._fields(number)
            file, line = self._file(fields), fields.get("line", "")
            place = place or (f"{file}:{line}" if file and line else "")
            if file and not file.startswith(_SYSTEM):
                return f"{file}:{line}"
            if "inlinedAt" not in fields:
                break
            number = int(fields["inlinedAt"])
        return place

    def _fields(self, number: int) -> dict[str, str]:
        _, text = self._records.get(number, ("", ""))
        return {name: record or quoted or digits for name, record, quoted, digits in _FIELD.findall(text)}

    def _file(self, fields: dict[str, str]) -> str:
        """The file of a record, which its scope or a scope around that knows."""
        for _ in range(_DEPTH_MAX):
            if "file" in fields:
                found = self._fields(int(fields["file"]))
                name, folder = found.get("filename", ""), found.get("directory", "")
                return name if name.startswith("/") or not folder else f"{folder}/{name}"
            if "scope" not in fields:
                break
            fields = self._fields(int(fields["scope"]))
        return ""

# SPDX-License-Identifier: Apache-2.0
"""What an instrumented program does without a callback, and how that travels in the program's own bytes.

The compile adds a section to the program. It is not loaded, and the compile cache keeps it with the program.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

_MARK: Final = b"chiphost found no way to check:"
_RECORDS_MAX: Final = 200  # of one program


class Unchecked(NamedTuple):
    """Accesses that no callback sees: the reason in words, and "file:line" of them, "" without a place."""

    reason: str
    place: str = ""


def section(found: Iterable[Unchecked]) -> str:
    """A source for the assembler: the section with these records. It makes no code and needs no special stack."""
    records = list(dict.fromkeys(found))[:_RECORDS_MAX]
    fields = [_MARK, *(_encoded(field) for record in records for field in record), b""]
    content = b"".join(field + b"\0" for field in fields)
    lines = (", ".join(map(str, content[at : at + 32])) for at in range(0, len(content), 32))
    return "\n".join(
        [
            '.section .note.GNU-stack,"",%progbits',
            '.section .chiphost.unchecked,"",%progbits',
            *(f".byte {line}" for line in lines),
            "",
        ]
    )


def read(program: bytes) -> list[Unchecked]:
    """The records in a program's bytes; none in a program without the section."""
    start = program.rfind(_MARK + b"\0")
    if start < 0:
        return []
    fields = iter(program[start + len(_MARK) + 1 :].split(b"\0"))
    return [Unchecked(_decoded(reason), _decoded(next(fields, b""))) for reason in iter(lambda: next(fields, b""), b"")]


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogateescape").replace(b"\0", b" ")


def _decoded(data: bytes) -> str:
    return data.decode(errors="surrogateescape")

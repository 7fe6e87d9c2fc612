# SPDX-License-Identifier: Apache-2.0
"""Lines of inline assembly."""

from __future__ import annotations

import re
from typing import Final

_COMMENT: Final = re.compile(r"/\*.*?\*/|(?:#|//).*")
# Instructions that wait, order, or tell the time, and directives that say where code comes from.
_HARMLESS: Final = re.compile(
    r"(rep ?;? ?)?nop\w?|pause|yield|isb|dsb|dmb|[lsm]fence|wfe|wfi|sev|rdtscp?|cpuid|rep|hint|csdb|endbr64|bti"
    r"|\.(loc|file|cfi_\w+|p2align|align|balign)",
)


def touches_memory(line: str) -> bool:
    """True unless a line of inline assembly is known not to access memory."""
    statements = _COMMENT.sub("", line).split(";")
    return any(_may_access(statement.strip()) for statement in statements)


def _may_access(statement: str) -> bool:
    word = statement.split(maxsplit=1)
    return bool(word) and not _HARMLESS.fullmatch(word[0])

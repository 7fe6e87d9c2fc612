# SPDX-License-Identifier: Apache-2.0
"""Checked runs: what they find, and the words for it. docs/checks.md says what each check sees and what it does not."""

from .check_names import ALL, ALL_BITS, BITS, Checks, names_of, parse
from .finding import Access, CodeLine, Declaration, Finding, Memory
from .gap import Gap
from .words import all_as_text, as_text, gap_as_text

__all__ = [
    "ALL",
    "ALL_BITS",
    "BITS",
    "Access",
    "Checks",
    "CodeLine",
    "Declaration",
    "Finding",
    "Gap",
    "Memory",
    "all_as_text",
    "as_text",
    "gap_as_text",
    "names_of",
    "parse",
]

# SPDX-License-Identifier: Apache-2.0
"""Text that is not fit for a terminal, and a check for such text."""

from __future__ import annotations

import os
import unicodedata

BYTE = os.fsdecode(b"caf\xe9")  # a file name that is no UTF-8


def is_plain(text: str) -> bool:
    """True if nothing in it but ends of lines controls a terminal."""
    return all(character == "\n" or unicodedata.category(character) not in ("Cc", "Cs", "Zl") for character in text)

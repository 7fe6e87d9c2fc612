# SPDX-License-Identifier: Apache-2.0
"""Addresses on the documentation site, for messages: of a row of a table, such as that of an error or a requirement."""

from __future__ import annotations

import os
import re
from typing import Final

from .printable import one_line

ERRORS: Final = "error-codes"
REQUIREMENTS: Final = "reference/platform-requirements"


def anchor_of(name: str) -> str:
    """The anchor of the row with a name, such as LOAD_REFUSED. The site gives it to the row (docs/site/rows.py)."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def address(page: str, name: str) -> str:
    """The address of the row with a name, on one of the pages above; "" if CHIPHOST_DOCS_URL does not name the site."""
    site = one_line(os.environ.get("CHIPHOST_DOCS_URL", "").strip()).rstrip("/")
    return f"{site}/{page}.html#{anchor_of(name)}" if site else ""

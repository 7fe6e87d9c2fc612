# SPDX-License-Identifier: Apache-2.0
"""The places of the parts of the installed package."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

_PACKAGE: Final = __name__.partition(".")[0]


def folder(name: str, holds: str = "") -> Path:
    """A folder of the package, by its name below it: the first that exists and has the file `holds`.

    In an editable installation the modules are in the checkout and the built files are not: the package has two roots.
    If the folder is nowhere, the answer is its place beside the modules.
    """
    for root in map(Path, sys.modules[_PACKAGE].__path__):
        if (root / name / holds).exists():
            return root / name
    return Path(__file__).parents[1] / name


def check_callbacks() -> Path:
    """The archive that is linked into programs that are compiled for checks."""
    name = "libchiphost_check_callbacks.a"
    return folder("lib", name) / name

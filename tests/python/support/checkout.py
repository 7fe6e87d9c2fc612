# SPDX-License-Identifier: Apache-2.0
"""The folders of this checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SUPPORT: Final = Path(__file__).resolve().parent  # programs that tests start put it on their path
ROOT: Final = SUPPORT.parents[2]
SCENES: Final = ROOT / "tests" / "scenes"

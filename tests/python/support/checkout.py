# SPDX-License-Identifier: Apache-2.0
"""Where things are in this checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SUPPORT: Final = Path(__file__).resolve().parent  # what programs that tests start put on their path
ROOT: Final = SUPPORT.parents[2]
SCENES: Final = ROOT / "tests" / "scenes"

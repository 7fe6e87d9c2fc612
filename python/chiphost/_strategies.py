# SPDX-License-Identifier: Apache-2.0
"""The names of the isolation strategies, the best first. The command line needs them before the C++ core is loaded."""

from __future__ import annotations

from typing import Final, Literal, get_args

Strategy = Literal["namespace", "copy", "process"]

STRATEGIES: Final[tuple[Strategy, ...]] = get_args(Strategy)
CHOICES: Final = (*STRATEGIES, "auto")  # the words that a user may say

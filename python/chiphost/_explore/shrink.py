# SPDX-License-Identifier: Apache-2.0
"""Making a failure small: the fewest decisions, of those that were found, with which a schedule still fails."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from .decisions import Decision

Decisions = Sequence[Decision]
Fails = Callable[[Decisions], Decisions | None]  # the decisions that were really made, if it fails; None if it does not


def shrink(decisions: Decisions, fails: Fails) -> Decisions:
    """Leave decisions out, first many at once, until none can be left out.

    That is delta debugging (A. Zeller, R. Hildebrandt, "Simplifying and isolating failure-inducing input", 2002). What
    is left out is chosen as in the default order. A schedule that is replayed may make fewer decisions than it was
    given, because what they were about does not come up; then these are the ones that count.

    Args:
        decisions: with which the schedule fails.
        fails: replays a schedule.
    """
    parts = 2
    while decisions:
        shorter = _without_a_part(decisions, parts, fails)
        if shorter is not None:
            decisions, parts = shorter, max(parts - 1, 2)
        elif parts >= len(decisions):
            break
        else:
            parts = min(2 * parts, len(decisions))
    return decisions


def _without_a_part(decisions: Decisions, parts: int, fails: Fails) -> Decisions | None:
    """Decisions with which it still fails, fewer than these; None if none of the parts can be left out."""
    parts = min(parts, len(decisions))
    bounds = [len(decisions) * part // parts for part in range(parts + 1)]
    for begin, end in reversed(list(itertools.pairwise(bounds))):  # the last ones matter least
        made = fails([*decisions[:begin], *decisions[end:]])
        if made is not None and len(made) < len(decisions):
            return made
    return None

# SPDX-License-Identifier: Apache-2.0
"""What an exploration guarantees, as a number and in words.

docs/explore.md has the proofs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from .decisions import TASKS

WANTED: Final = 0.999  # the probability at which an exploration by PCT is done


@dataclass(frozen=True)
class Counts:
    """What was run.

    Attributes:
        schedules: how many, the default one included.
        orders: different orders of tasks on cores among them.
        events: most tasks, or blocks of tasks, that a schedule had.
        decisions: most choices that a schedule had.
        processors: cores and AICPU threads of a run.
    """

    schedules: int = 0
    orders: int = 0
    events: int = 0
    decisions: int = 0
    processors: int = 0


def pct_probability(level: str, depth: int, counts: Counts) -> float:
    """The least probability that one schedule finds a fault that needs `depth` ordering decisions."""
    if level == TASKS:
        # The last `depth` of n events have to be certain ones, in a certain order.
        events = max(counts.events, 1)
        return 1 / math.perm(events, min(depth, events))
    steps = max(counts.decisions, 1)
    return 1.0 / (max(counts.processors, 1) * math.prod([steps] * (depth - 1)))


def schedules_needed(probability: float, wanted: float = WANTED) -> int:
    """How many schedules find with the wanted probability what one finds with this one."""
    if probability >= 1:
        return 1
    return math.ceil(math.log1p(-wanted) / math.log1p(-probability))


def words(strategy: str, level: str, depth: int, counts: Counts, complete: bool, race_free: bool = False) -> str:
    """What is known after an exploration that found no failure, as a sentence."""
    if complete:
        differ = " that a graph without races can tell apart" if race_free else ""
        return f"all {_count(counts.schedules, 'order')} of its {level}{differ}"
    done = f"{_count(counts.schedules, 'schedule')} with {_count(counts.orders, 'different order')} of tasks on cores"
    if strategy != "pct":
        return f"{done}; the strategy {strategy} has no bound"
    probability = pct_probability(level, depth, counts)
    needed = schedules_needed(probability)
    found = -math.expm1(counts.schedules * math.log1p(-probability)) if probability < 1 else 1.0
    enough = counts.schedules >= needed
    decisions = _count(depth, "ordering decision")
    between = f"between its {_count(counts.events, 'task')}" if level == TASKS else "between its steps"
    sentence = (
        f"every fault that needs {decisions} {between} is found with probability at least "
        f"{WANTED if enough else _floor(found)}: {done}"
    )
    return sentence if enough else f"{sentence}; {WANTED} needs {needed:,}"


def _floor(probability: float) -> str:
    return f"{math.floor(probability * 1000) / 1000:.3f}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

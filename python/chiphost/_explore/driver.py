# SPDX-License-Identifier: Apache-2.0
"""An exploration from its beginning to its end: until a budget is used up, all is known, or something fails."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from . import bound
from .bound import Counts
from .decisions import TASKS, Decision, DecisionLog
from .shrink import shrink
from .subject import Subject

_SLICE_S: Final = 0.5  # between two looks at the clock, and at the person who waits
_COUNT_MAX: Final = 2**63 - 1
SECONDS: Final = 10.0  # the budget if none is given


@dataclass(frozen=True)
class Budget:
    """How long to explore.

    Attributes:
        schedules: at most so many; None: any number.
        seconds: at most so long; None: any time.
    """

    schedules: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Plan:
    """What to explore.

    Attributes:
        strategy: "random", "pct", "pos" or "exhaustive".
        level: "tasks" or "steps".
        depth: of pct: ordering decisions that a fault may need.
        seed: of the random numbers.
        every_core: whether exhaustive tries every core for every task.
        race_free: whether exhaustive may trust that no two tasks touch the same memory without a path between them.
        budget: when to stop; None: after SECONDS, and with pct as soon as a fault would have been found with
            probability `bound.WANTED`.
    """

    strategy: str = "pct"
    level: str = TASKS
    depth: int = 2
    seed: int = 0
    every_core: bool = False
    race_free: bool = False
    budget: Budget | None = None


@dataclass(frozen=True)
class Explored:
    """The result of an exploration.

    Attributes:
        counts: what was run.
        complete: whether there is no schedule that was not run.
        seconds: time it took, shrinking not included.
        failure: the shrunk schedule that fails, or None.
        error: how it fails; empty if none does.
        found: decisions of the schedule that failed before it was shrunk.
        words: the bound, if none fails.
    """

    counts: Counts = field(default_factory=Counts)
    complete: bool = False
    seconds: float = 0.0
    failure: DecisionLog | None = None
    error: str = ""
    found: int = 0
    words: str = ""


def explore(subject: Subject, plan: Plan, progress: Callable[[Counts], None] = lambda counts: None) -> Explored:
    """Explore the schedules of a program. `progress` is told now and then how far it is."""
    started = time.monotonic()
    budget = plan.budget or Budget(seconds=SECONDS)
    left, counts, complete, log, error = 0, Counts(), False, None, ""
    while True:
        gone = time.monotonic() - started
        slice_s = min(_SLICE_S, math.inf if budget.seconds is None else max(budget.seconds - gone, 1e-3))
        counts, complete, log, error = subject.explore(
            plan.strategy,
            plan.level,
            depth=plan.depth,
            seed=plan.seed,
            every_core=plan.every_core,
            race_free=plan.race_free,
            schedules_max=left,
            time_max_s=slice_s,
        )
        progress(counts)
        left = _left(plan, budget, counts)
        over = budget.seconds is not None and time.monotonic() - started >= budget.seconds
        if log is not None or complete or left <= 0 or over:
            break
    seconds = time.monotonic() - started
    if log is None:
        words = bound.words(plan.strategy, plan.level, plan.depth, counts, complete, plan.race_free)
        return Explored(counts, complete, seconds, words=words)
    smallest, error = _shrunk(subject, log, error)
    return Explored(counts, False, seconds, smallest, error, len(log.decisions))


def _left(plan: Plan, budget: Budget, counts: Counts) -> int:
    """How many schedules may still be run."""
    if budget.schedules is not None:
        return budget.schedules - counts.schedules
    if plan.budget is None and plan.strategy == "pct":
        return bound.schedules_needed(bound.pct_probability(plan.level, plan.depth, counts)) - counts.schedules
    return _COUNT_MAX


def _shrunk(subject: Subject, log: DecisionLog, error: str) -> tuple[DecisionLog, str]:
    """The failure with fewest decisions, and its error."""
    errors = {log.decisions: error}

    def fails(decisions: Sequence[Decision]) -> Sequence[Decision] | None:
        problem, made = subject.replay(log.with_decisions(decisions))
        if not problem:
            return None
        errors[made.decisions] = problem
        return made.decisions

    smallest = log.with_decisions(shrink(log.decisions, fails))
    return smallest, errors[smallest.decisions]

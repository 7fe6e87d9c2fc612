# SPDX-License-Identifier: Apache-2.0
"""The bounds of explorations, and their words."""

from __future__ import annotations

import itertools
import random

import pytest

from chiphost._explore.bound import Counts, pct_probability, schedules_needed, words


def test_the_bound_of_steps_is_that_of_pct() -> None:
    counts = Counts(decisions=239, processors=6)
    assert pct_probability("steps", 1, counts) == pytest.approx(1 / 6)
    assert pct_probability("steps", 2, counts) == pytest.approx(1 / (6 * 239))
    assert pct_probability("steps", 3, counts) == pytest.approx(1 / (6 * 239**2))


def test_the_bound_of_tasks_holds_for_random_graphs() -> None:
    """Tries all priorities of a graph: enough of them lead to an order that meets the constraints."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(30):
        tasks = rng.randint(2, 5)
        edges = [(one, other) for other in range(tasks) for one in range(other) if rng.random() < 0.3]

        def order(priorities: tuple[int, ...], tasks: int = tasks, edges: list[tuple[int, int]] = edges) -> list[int]:
            done: list[int] = []
            while len(done) < tasks:
                waiting = {other for one, other in edges if one not in done}
                able = [task for task in range(tasks) if task not in done and task not in waiting]
                done.append(max(able, key=lambda task: priorities[task]))
            return done

        found = [order(priorities) for priorities in itertools.permutations(range(tasks))]
        for depth in (1, 2):
            wanted = rng.choice(found)  # an order that is allowed has all pairs in it
            pairs = [rng.sample(range(tasks), 2) for _ in range(depth)]
            constraints = [sorted(pair, key=wanted.index) for pair in pairs]
            met = sum(all(run.index(one) < run.index(other) for one, other in constraints) for run in found)
            assert met / len(found) >= pct_probability("tasks", depth, Counts(events=tasks)) - 1e-12


def test_so_many_schedules_are_needed() -> None:
    assert schedules_needed(1) == 1
    assert schedules_needed(1 / 36) == 246
    assert schedules_needed(1 / 8604) == 59431
    assert schedules_needed(0.5, 0.75) == 2


def test_words_say_what_is_known() -> None:
    counts = Counts(schedules=1152, orders=1152, events=6, decisions=9, processors=6)
    assert words("exhaustive", "tasks", 2, counts, True) == "all 1,152 orders of its tasks"
    assert words("random", "tasks", 2, counts, False) == (
        "1,152 schedules with 1,152 different orders of tasks on cores; the strategy random has no bound"
    )
    assert "is found with probability at least 0.999: 1,152 schedules" in words("pct", "tasks", 2, counts, False)
    few = Counts(schedules=10, orders=3, events=100, decisions=99, processors=6)
    assert words("pct", "tasks", 1, few, False) == (
        "every fault that needs 1 ordering decision between its 100 tasks is found with probability at least 0.095: "
        "10 schedules with 3 different orders of tasks on cores; 0.999 needs 688"
    )

# SPDX-License-Identifier: Apache-2.0
"""Failures made small."""

from __future__ import annotations

import random
from collections.abc import Sequence

from chiphost._explore.decisions import Decision
from chiphost._explore.shrink import shrink

ALL: list[Decision] = [(number, 1) for number in range(100)]


def needs(*wanted: int) -> tuple[list[Sequence[Decision]], object]:
    tried: list[Sequence[Decision]] = []

    def fails(decisions: Sequence[Decision]) -> Sequence[Decision] | None:
        tried.append(decisions)
        return decisions if {(number, 1) for number in wanted} <= set(decisions) else None

    return tried, fails


def test_what_is_needed_stays() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for count in (0, 1, 2, 3, 7, 100):
        wanted = sorted(rng.sample(range(100), count))
        tried, fails = needs(*wanted)
        assert list(shrink(ALL, fails)) == [(number, 1) for number in wanted]  # type: ignore[arg-type]
        assert len(tried) < 2000


def test_decisions_that_were_not_made_do_not_count() -> None:
    def fails(decisions: Sequence[Decision]) -> Sequence[Decision] | None:
        return [decision for decision in decisions if decision[0] < 3] if (2, 1) in decisions else None

    assert list(shrink(ALL, fails)) == [(2, 1)]

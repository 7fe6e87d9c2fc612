# SPDX-License-Identifier: Apache-2.0
"""The seeds with which cases are run: one makes the inputs, one orders the simulated processors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Seed:
    """The seeds of one run.

    Attributes:
        input: makes the inputs.
        order: orders the simulated processors; 0 lets them take their steps in turn.
    """

    input: int = 0
    order: int = 0

    def words(self) -> Sequence[str]:
        """The words that give a command these seeds."""
        if self.input == self.order:
            return ("--seed", str(self.order))
        return ("--input-seed", str(self.input), "--order-seed", str(self.order))


@dataclass(frozen=True)
class Seeds:
    """A range of seeds, tried one after the other.

    Attributes:
        first, last: the range; both are in it.
        input: the seed of the inputs in every run; None: that of the range.
        order: the seed of the order in every run; None: that of the range.
    """

    first: int = 0
    last: int = 0
    input: int | None = None
    order: int | None = None

    def __iter__(self) -> Iterator[Seed]:
        """The seeds of each run."""
        for number in range(self.first, self.last + 1):
            yield Seed(
                number if self.input is None else self.input,
                number if self.order is None else self.order,
            )

    @property
    def count(self) -> int:
        """The number of runs."""
        return self.last - self.first + 1

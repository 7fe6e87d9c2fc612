# SPDX-License-Identifier: Apache-2.0
"""Decision logs: the choices in which a schedule differs from the default order, as text that fits in a command."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ..errors import make_error

TASKS: Final = "tasks"
STEPS: Final = "steps"
LEVELS: Final = (TASKS, STEPS)  # in the order of ch_schedule_level

_FORM: Final = re.compile(r"(?:([0-9]+)/)?(tasks|steps):((?:[0-9]+\.[0-9]+(?:,[0-9]+\.[0-9]+)*)?)", re.ASCII)
_NUMBER_MAX: Final = 2**32 - 1

Decision = tuple[
    int, int
]  # the number of a choice in its schedule, from 0; and what was chosen, where 0 is the default


@dataclass(frozen=True)
class DecisionLog:
    """A schedule of one program of a case.

    Attributes:
        level: "tasks" or "steps", the detail in which it is described.
        decisions: the choices that differ from the default order, by rising number.
        program: which program of the scene, from 0.
    """

    level: str
    decisions: tuple[Decision, ...]
    program: int = 0

    def __str__(self) -> str:
        """The text that `parse` takes, such as "tasks:3.1,7.2"."""
        program = f"{self.program}/" if self.program else ""
        return f"{program}{self.level}:{','.join(f'{number}.{option}' for number, option in self.decisions)}"

    def with_decisions(self, decisions: Iterable[Decision]) -> DecisionLog:
        """The same with other decisions."""
        return DecisionLog(self.level, tuple(decisions), self.program)


def parse(text: str) -> DecisionLog:
    """The log that a text describes.

    Raises:
        ArgumentError: it is no such text.
    """
    found = _FORM.fullmatch(text)
    if not found:
        message = f"wanted decisions such as tasks:3.1,7.2 (choice 3 took its option 1, and so on), found {text!r}"
        raise make_error("INVALID_ARGUMENT", message, "replay")
    program, level, words = found.groups()
    pairs = [word.split(".") for word in words.split(",") if word]
    decisions = tuple((int(number), int(option)) for number, option in pairs)
    numbers = [number for number, _ in decisions]
    if numbers != sorted(set(numbers)) or any(max(decision) > _NUMBER_MAX for decision in decisions):
        message = f"wanted numbers below 2^32 that rise, found {text!r}"
        raise make_error("INVALID_ARGUMENT", message, "replay")
    return DecisionLog(level, decisions, int(program or 0))

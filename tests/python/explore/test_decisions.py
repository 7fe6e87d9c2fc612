# SPDX-License-Identifier: Apache-2.0
"""Decision logs as text."""

from __future__ import annotations

import pytest

from chiphost._explore.decisions import DecisionLog, parse
from chiphost.errors import ArgumentError


@pytest.mark.parametrize(
    "log",
    [
        DecisionLog("tasks", ()),
        DecisionLog("tasks", ((3, 1),)),
        DecisionLog("steps", ((0, 2), (17, 1), (2**32 - 1, 5)), 2),
    ],
)
def test_a_log_is_its_text(log: DecisionLog) -> None:
    assert parse(str(log)) == log


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tasks",
        "turns:1.1",
        "tasks:1",
        "tasks:1.1,",
        "tasks:2.1,1.1",
        "tasks:1.1,1.2",
        "x/tasks:1.1",
        f"tasks:{2**32}.1",
        "tasks:1.1\n",
        "tasks:\u0661.1",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="replay"):
        parse(text)

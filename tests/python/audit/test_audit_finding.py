# SPDX-License-Identifier: Apache-2.0
"""The content of a finding: the number of names, and the answer for each use."""

from __future__ import annotations

import pytest

from chiphost.audit.finding import make_finding, some


def test_the_first_names_are_shown_and_all_are_counted():
    names = [f"name_{number}" for number in range(40)]
    finding = make_finding("state", "seen", "consequence", symbols=iter(names))
    assert finding.symbols == tuple(names[:32])
    assert finding.count == 40
    assert make_finding("state", "seen", "consequence", symbols=names, count=7).count == 7
    assert make_finding("state", "seen", "consequence").count == 0


def test_an_answer_is_that_of_the_use_or_the_one_for_all():
    finding = make_finding("state", "seen", "consequence", everywhere="no", copy="care", recycle="ok")
    assert [finding.answer(use) for use in ("namespace", "copy", "process", "recycle")] == ["no", "care", "no", "ok"]
    assert make_finding("state", "seen", "consequence").answer("process") == "ok"


@pytest.mark.parametrize(
    ("count", "shown"), [(0, ""), (1, "a"), (3, "a, b, c"), (4, "a, b, c and 1 more"), (7, "a, b, c and 4 more")]
)
def test_a_sentence_has_the_first_few_names(count, shown):
    assert some(iter("abcdefg"[:count])) == shown

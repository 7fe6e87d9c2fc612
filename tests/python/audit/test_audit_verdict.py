# SPDX-License-Identifier: Apache-2.0
"""The verdicts that follow from findings, and the strategy that is chosen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiphost._strategies import STRATEGIES
from chiphost.audit import verdict
from chiphost.audit.finding import Finding, make_finding
from chiphost.audit.verdict import Audit, Choice, Verdict

USES = (*STRATEGIES, "recycle")
ORDER = ("ok", "care", "no")
ANSWERS = st.sampled_from(ORDER)
FINDINGS = st.lists(
    st.builds(
        lambda number, answers: make_finding(f"finding-{number}", "seen", "consequence", **answers),
        st.integers(0, 5),  # a finding may be made several times
        st.fixed_dictionaries(dict.fromkeys(USES, ANSWERS)),
    )
)


@given(FINDINGS)
def test_a_verdict_is_the_worst_answer_with_those_who_gave_it(findings: list[Finding]) -> None:
    verdicts = verdict._verdicts(findings)
    assert tuple(verdicts) == USES
    for use, found in verdicts.items():
        answers = [finding.answer(use) for finding in findings]
        assert found.answer == max(answers, key=ORDER.index, default="ok")
        blamed = [finding.id for finding in findings if finding.answer(use) == found.answer != "ok"]
        assert found.reasons == tuple(dict.fromkeys(blamed))


@given(FINDINGS)
def test_the_choice_is_the_first_that_can_be_used(findings: list[Finding]) -> None:
    verdicts = verdict._verdicts(findings)
    choice = verdict._choose(verdicts)
    usable = [name for name in STRATEGIES if verdicts[name].answer != "no"]
    assert choice.strategy == (usable[0] if usable else None)
    passed_over = STRATEGIES[: STRATEGIES.index(usable[0])] if usable else STRATEGIES
    assert [name for name in STRATEGIES if f"{name} is out (" in choice.why] == list(passed_over)


@pytest.mark.parametrize(
    ("answers", "strategy", "why"),
    [
        ({}, "namespace", "namespace works"),
        ({"namespace": "care"}, "namespace", "namespace works with care (x)"),
        ({"namespace": "no"}, "copy", "namespace is out (x); copy works"),
        ({"namespace": "no", "copy": "no"}, "process", "namespace is out (x); copy is out (x); process works"),
        ({"everywhere": "no"}, None, "namespace is out (x); copy is out (x); process is out (x)"),
        ({"recycle": "no"}, "namespace", "namespace works"),
    ],
)
def test_the_choice_is_explained(answers: dict[str, str], strategy: str | None, why: str) -> None:
    findings = [make_finding("x", "seen", "consequence", **answers)]
    assert verdict._choose(verdict._verdicts(findings)) == Choice(strategy, why)


def test_a_library_is_usable_unless_the_answer_is_no() -> None:
    verdicts = {"namespace": Verdict("no", ("x",)), "copy": Verdict("care", ("y",)), "process": Verdict("ok", ())}
    found = Audit("lib.so", 1, "", "", "", (), (), verdicts, verdict._choose(verdicts))
    assert [found.usable(name) for name in STRATEGIES] == [False, True, True]
    assert found.usable()
    none = dict.fromkeys(STRATEGIES, Verdict("no", ("x",)))
    assert not Audit("lib.so", 1, "", "", "", (), (), none, verdict._choose(none)).usable()

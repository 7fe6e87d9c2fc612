# SPDX-License-Identifier: Apache-2.0
"""ChipWorker.run with check=: what is run, and what the result or the error has."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace
from typing import Any

import check_reports as made
import numpy as np
import pytest
from callables import RUNTIME, misbehave

import chiphost as ch
from chiphost import checks, compiler
from chiphost.checks import Gap

PLAIN = misbehave
GAPS = (Gap("kernel 'never_return' (func_id 1)", "it was given as a binary"),)


class Core:
    """The core of a worker, whose checked runs end with a report that is given."""

    def __init__(self, report: str | None, error: ch.ChiphostError | None = None) -> None:
        self.platform = "a2a3sim"
        self.runtime = RUNTIME
        self.runs: list[tuple[object, int]] = []
        self._report = report
        self._error = error

    def run(self, callable: object, args: object, config: Any) -> SimpleNamespace:
        self.runs.append((callable, config.check))
        if self._error:
            raise self._error
        times = {"orchestration_ns": 1, "device_ns": 2, "total_ns": 3}
        return SimpleNamespace(task_count=4, trace=None, check_report=self._report, **times)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> ch.ChipCallable:
    """The checked form of a callable, which `compiler.checked` returns."""
    instrumented = ch.ChipCallable(PLAIN().orchestration, PLAIN().kernels, PLAIN().entry, PLAIN().signature, "checked")
    both = SimpleNamespace(callable=instrumented, gaps=GAPS)
    monkeypatch.setattr(compiler, "checked", lambda callable: both, raising=False)
    return instrumented


def worker_with(core: Core) -> ch.ChipWorker:
    worker = ch.ChipWorker()
    worker._worker = core  # type: ignore[assignment]
    return worker


@pytest.mark.parametrize(("check", "mask"), [(True, 63), ("races,init", 9), (["memory"], 4)])
def test_the_checked_programs_run_with_the_mask(checked, check, mask):
    core = Core(made.report(made.finding(), made.finding(end=32), unnecessary_edges=2))
    result = worker_with(core).run(PLAIN(), [np.zeros(4, np.int32), 0], check=check)
    assert core.runs == [(checked._core, mask)]
    assert [found.end for found in result.findings] == [16, 32]
    assert result.report is not None and result.report.unnecessary_edges == 2
    assert result.not_checked == GAPS
    assert (result.task_count, result.orchestration_ns, result.device_ns, result.total_ns) == (4, 1, 2, 3)
    assert repr(result) == "RunResult(task_count=4, total_ns=3, findings=2)"


@pytest.mark.parametrize("check", [None, False, "", ()])
def test_without_checks_the_plain_programs_run(check):
    out = np.zeros(4, np.int32)
    with ch.ChipWorker(RUNTIME) as worker:
        result = worker.run(PLAIN(), [out, 0], check=check)
    assert (result.findings, result.not_checked, result.report) == ((), (), None)
    result.raise_for_findings()


def test_a_configuration_may_ask_for_checks(checked):
    for config, check, mask in ((5, None, 5), (5, "init", 8), (5, False, None), (0, None, None)):
        core = Core(made.report())
        worker_with(core).run(PLAIN(), [], ch.CallConfig(check=config), check=check)
        assert core.runs == ([(PLAIN()._core, 0)] if mask is None else [(checked._core, mask)])


def test_an_unknown_check_is_an_error_before_anything_runs():
    core = Core(None)
    with pytest.raises(ch.ArgumentError, match="check: wanted all, or some of") as caught:
        worker_with(core).run(PLAIN(), [], check="race")
    assert "did you mean 'races'?" in caught.value.hint
    assert core.runs == []


def test_findings_can_be_raised(checked):
    findings = [made.finding(begin=4 * index, end=4 * index + 4) for index in range(7)]
    result = worker_with(Core(made.report(*findings))).run(PLAIN(), [], check=True)
    with pytest.raises(ch.CheckError) as caught:
        result.raise_for_findings()
    error = caught.value
    assert error.name == "CHECK_FAILED"
    assert error.findings == result.findings and len(error.findings) == 7
    assert error.message.startswith("7 findings\nrace: submit #3 (kernel `never_return`, ")
    assert error.message.count("race:") == 5
    assert error.message.endswith("(2 more: see the attribute findings)")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (str(again), again.findings) == (str(error), error.findings)


def test_one_finding_is_no_plural(checked):
    result = worker_with(Core(made.report(made.finding()))).run(PLAIN(), [], check=True)
    with pytest.raises(ch.CheckError, match="checked: 1 finding\n"):
        result.raise_for_findings()


@pytest.mark.parametrize("report", [None, made.report(made.finding())])
def test_a_run_that_fails_has_what_was_found_before(checked, report):
    error = ch.errors.make_error("KERNEL_THREW", "no", "kernel")
    if report is not None:
        error.check_report = report  # type: ignore[attr-defined]
    with pytest.raises(ch.KernelError) as caught:
        worker_with(Core(None, error)).run(PLAIN(), [], check="races")
    assert len(caught.value.findings) == (0 if report is None else 1)


def test_an_error_without_checks_has_no_findings():
    with ch.ChipWorker(RUNTIME) as worker, pytest.raises(ch.ChiphostError) as caught:
        worker.run(PLAIN(), [np.zeros(3, np.int32), 0])
    assert caught.value.findings == ()


def test_a_result_of_checks_is_a_plain_value(checked):
    result = worker_with(Core(made.report(made.finding()))).run(PLAIN(), [], check=True)
    again = copy.copy(result)
    assert (again.findings, again.not_checked) == (result.findings, GAPS)
    assert isinstance(again.findings[0], checks.Finding)

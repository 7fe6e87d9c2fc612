# SPDX-License-Identifier: Apache-2.0
"""Checked runs whose reports are made by hand: the programs run as they are, and what checks say is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

import chiphost as ch
from chiphost.checks import Gap
from chiphost.checks.report import read_report

Reports = Callable[[ch.ChipCallable, int], str]


def give_reports(monkeypatch: pytest.MonkeyPatch, reports: Reports, gaps: Sequence[Gap] = ()) -> list[int]:
    """Let checked runs of all workers give these reports; returns a list that gets the mask of each checked run."""
    masks: list[int] = []

    def run(self: ch.ChipWorker, callable: ch.ChipCallable, args: Sequence[Any], config: ch.CallConfig) -> ch.RunResult:
        masks.append(config.check)
        report = read_report(reports(callable, config.check), callable, self.runtime or "")
        config.check = 0
        try:
            result = self._worker.run(callable._core, args, config)
        except ch.ChiphostError as error:
            error.findings = report.findings
            raise
        return ch.RunResult(result, report, tuple(gaps))

    monkeypatch.setattr(ch.ChipWorker, "_run_checked", run)
    return masks

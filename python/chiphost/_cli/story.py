# SPDX-License-Identifier: Apache-2.0
"""The words and reports of the watching process about a working process that ended without a verdict."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import Any

import click

from .._reports.file import write_all
from .._text.printable import one_line
from ..scenes import report
from ..scenes.results import CaseResult, SceneResult
from ..scenes.seeds import Seed
from .terminal import advise, complain, in_terminal


def _show_cursor() -> None:
    """Leave the line of the progress bar, which hides the cursor."""
    if in_terminal():
        click.echo("\x1b[?25h")


class Story:
    """The messages of the working process before it ended without a verdict."""

    def __init__(self, messages: list[tuple[Any, ...]]) -> None:
        """Read `messages`: everything that was told, in order; see `events.tell`."""
        self._planned: list[SceneResult] = []
        self._cases: dict[tuple[str, str], CaseResult] = {}
        self._scenes: dict[str, SceneResult] = {}
        self._running: dict[str, str | None] = {}
        self._seeds: dict[tuple[str, str], Seed] = {}
        self._reports: tuple[Any, ...] | None = None
        self._loading: str | None = None
        self._verdict = False
        for message in messages:
            self._note(*message)

    def _note(self, kind: str, *values: Any) -> None:
        if kind == "planned":
            [self._planned] = values
        elif kind == "running":
            self._running[values[0]] = values[1]
        elif kind == "seed":
            self._seeds[values[0], values[1]] = values[2]
        elif kind == "case":
            self._cases[values[0], values[1].case] = values[1]
        elif kind == "scene":
            self._scenes[values[0].name] = values[0]
            self._running.pop(values[0].name, None)
        elif kind == "loading":
            [self._loading] = values
        elif kind == "reports":
            self._reports = values
        elif kind == "verdict":
            self._verdict = True

    def finish(self, code: int) -> None:
        """Say what happened, and write the reports; `code` is the working process's exit code, or minus its signal."""
        how = f"signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"exit code {code}"
        why = f"the process ended early, with {how}"
        _show_cursor()
        complain(f"chiphost: {why}; {self._when()}")
        if self._running or self._loading:
            what = "crashed" if code < 0 else "left the process, as with exit()"
            complain(f"  hint: a kernel, or something else of the scene, {what}")
        if self._reports is not None and not self._verdict:
            self._report(why, *self._reports)

    def _when(self) -> str:
        if self._verdict:
            return "there was a verdict already"
        running = [
            f"{one_line(scene)}, case {case!r}" if case else one_line(scene) for scene, case in self._running.items()
        ]
        if len(running) > 1:
            return f"one of these was running: {'; '.join(running)}"
        if running:
            return f"{running[0]} was running"
        return (
            f"the description of {one_line(self._loading)} was being read" if self._loading else "no scene was running"
        )

    def _report(self, why: str, json_file: Any, junit_file: Any, platform: str, seed: int, options: list[str]) -> None:
        results = [self._result(planned, why) for planned in self._planned]
        if not results:  # no success: one scene stands for all that were not loaded
            name = self._loading or "(scenes)"
            results = [SceneResult(name, platform, name.partition("/")[0], False, 0.0, why, seed, ())]
        for result in results:
            if result.name in self._running and (again := report.replay_command(result, options)):
                advise(again)
        reports = ((json_file, lambda: report.to_json(results)), (junit_file, lambda: report.to_junit(results)))
        for file, error in write_all(reports):
            complain(f"chiphost: cannot write {file.path}: {error}")
        click.echo(report.summary(results))

    def _result(self, planned: SceneResult, why: str) -> SceneResult:
        if planned.name in self._scenes:
            return self._scenes[planned.name]
        if planned.name not in self._running:
            return planned
        running = self._running[planned.name]
        cases = tuple(
            self._cases.get((planned.name, case.case))
            or (self._ended_early(planned.name, case, why) if case.case == running else case)
            for case in planned.cases
        )
        errors = [f"case {case.case!r}: {case.error}" for case in cases if case.error]
        return replace(planned, cases=cases, error="\n".join(errors) or why)

    def _ended_early(self, scene: str, case: CaseResult, why: str) -> CaseResult:
        seed = self._seeds.get((scene, case.case))
        if seed is None:
            return replace(case, error=why)
        return replace(case, error=why, input_seed=seed.input, order_seed=seed.order)

# SPDX-License-Identifier: Apache-2.0
"""`chiphost ci`: run all scenes of a platform."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .._machine import chips
from .._reports.file import ReportFile
from .._runtimes import build, runtimes
from .._simpler import torch_import
from .._system.deadline import Deadline, DeadlineOver
from .._text.printable import one_line, shell_join
from ..scenes import catalog, report
from ..scenes.catalog import Entry
from ..scenes.results import CaseResult, SceneResult, Settings
from ..scenes.runner import Runner
from ..scenes.seeds import Seeds
from . import checking, options, reports
from .console import make_console, print_lines
from .display import Display
from .terminal import Command, Interrupted, complain, in_terminal, plural, progress

_EVENTS_MAX: Final = 8  # of a stall, below a scene's row


@dataclass(frozen=True)
class _Wanted:
    """The wishes of the command line, by the names of the options; see `commands.ci`.

    Attributes:
        repeated: the options, apart from --check, that a command needs that runs one of the scenes again.
    """

    platform: str
    runtime: str | None
    text: str | None
    timeout: float | None
    parallel: bool
    retries: int
    cases: tuple[str, ...]
    all_cases: bool
    build_runtime: bool
    source: Path | None
    json_file: ReportFile | None
    junit_file: ReportFile | None
    scenes: Path | None
    seeds: Seeds
    verbose: bool
    sim_threads: int
    isolation: str | None
    check: int
    repeated: tuple[str, ...]


def main(**chosen: Any) -> None:
    """Run the scenes, print a row for each, write the reports, and end with the exit code; see `commands.ci`."""
    wanted = _Wanted(**chosen)
    started, deadline = time.monotonic(), Deadline(wanted.timeout)
    settings, entries = _look(wanted, deadline)
    again = [*wanted.repeated, *options.check_words(wanted.check)]
    with _Rows([entry.name for entry in entries], settings.library, again, wanted.verbose) as rows:
        runner = Runner(settings, rows)
        cases = list(dict.fromkeys(wanted.cases)) or None
        results = runner.run(entries, cases=cases, parallel=wanted.parallel)

    torch_s = torch_import.seconds()
    of_torch = "" if torch_s is None else f", {torch_s:.1f} s of it to import torch"
    print_lines(rows.console, f"Time: {time.monotonic() - started:.1f} s{of_torch}")
    # Before the last line, because its reader may be gone by then.
    problems = reports.write(
        (wanted.json_file, lambda: report.to_json(results, torch_s)),
        (wanted.junit_file, lambda: report.to_junit(results)),
    )
    if runner.isolation:
        print_lines(rows.console, f"Isolation: {'; '.join(sorted(runner.isolation))}")
    print_lines(rows.console, report.summary(results))
    for problem in problems:
        problem.show()
    if runner.interrupted:
        raise Interrupted(progress(len(results) - len(runner.unfinished), len(results), "scene"), runner.under_way)
    if any(result.failed for result in results):
        sys.exit(2 if problems else 1)
    if not any(result.passed for result in results):
        complain(f"chiphost: nothing was run: all scenes are skipped on {wanted.platform}")
        sys.exit(2)
    sys.exit(2 if problems else 0)


def _look(wanted: _Wanted, deadline: Deadline) -> tuple[Settings, list[Entry]]:
    """Find the scenes to run and their settings. Builds the runtimes if asked to; looks for a chip if one is needed."""
    platform = wanted.platform
    root = catalog.scenes_dir(wanted.scenes)
    runtimes.check_platform(platform)
    checking.require(wanted.check, platform)
    library = _build(wanted.source, deadline) if wanted.build_runtime else None
    if library or not wanted.build_runtime:  # else the deadline was over, and every scene says so
        runtimes.check_any(platform, library)
    settings = Settings(
        platform,
        wanted.isolation,
        wanted.seeds.first,
        wanted.sim_threads,
        deadline=deadline,
        retries=wanted.retries,
        library=library,
        all_cases=wanted.all_cases,
        check=wanted.check,
        repeated=wanted.repeated,
        seeds=wanted.seeds,
        order_digests=wanted.verbose or wanted.json_file is not None,
    )
    entries = catalog.select(
        root, platform=platform, runtime=wanted.runtime, text=wanted.text, library=library, deadline=deadline
    )
    if runtimes.is_real_chip(platform, library) and (
        needed := [entry.runtime for entry in entries if not entry.not_for(platform, library)]
    ):
        chips.require(runtimes.find(needed[0], platform, library), platform)
    catalog.check_cases(entries, wanted.cases)
    return settings, entries


def _build(source: Path | None, deadline: Deadline) -> Path | None:
    """Build the runtimes; return the folder they are in, or None if the deadline came first."""
    console, started = make_console(), time.monotonic()
    checkout = build.find_source(source)
    with console.status("building runtimes") if in_terminal() else contextlib.nullcontext():
        try:
            library = build.build(checkout, deadline)
        except DeadlineOver:
            return None  # every scene will say so
    print_lines(console, f"Built runtimes from {checkout} in {time.monotonic() - started:.1f} s")
    return library


class _Rows(Display):
    """A row for each scene, in order: one that ends early waits for those before it."""

    def __init__(self, names: Sequence[str], library: Path | None, repeated: Sequence[str], verbose: bool) -> None:
        """Show rows for these scenes, and the order of their tasks if `verbose`.

        `library` and `repeated` are for the command that runs one of them again.
        """
        super().__init__(len(names))
        self._width = max(len(one_line(name)) for name in names)
        self._where = f"CHIPHOST_LIB_DIR={shell_join([str(library)])} " if library else ""
        self._repeated = repeated
        self._verbose = verbose
        self._next = iter(names)
        self._name = next(self._next)
        self._waiting: dict[str, SceneResult] = {}
        self._without_row: set[str] = set()

    def ended(self, result: SceneResult) -> None:
        """Print the rows that come next."""
        self._add(result)
        super().ended(result)

    def interrupted(self, result: SceneResult) -> None:
        """Print no row: the report says what was not done, and one line will name the scene."""
        self._without_row.add(result.name)
        self._add(result)
        super().interrupted(result)

    def _add(self, result: SceneResult) -> None:
        self._waiting[result.name] = result
        while self._name in self._waiting:
            next_one = self._waiting.pop(self._name)
            if self._name not in self._without_row:
                self._print(next_one)
            self._name = next(self._next, "")

    def _print(self, result: SceneResult) -> None:
        cases = plural(len(result.cases), "case") if result.cases else "-"
        columns = f"{one_line(result.name):<{self._width}}  {cases:<8}  {result.seconds:8.3f} s"
        if times := sum(len(case.earlier_errors) for case in result.cases):
            columns += f"  {'1 retry' if times == 1 else f'{times} retries'}"
        below = [
            result.error or "",
            *map(_stall, result.cases),
            *map(report.retries, result.cases),
            report.skipped(result),
        ]
        below.append(report.not_checked(result))
        if self._verbose:
            below.append(report.orders(result))
        if again := report.replay_command(result, self._repeated):
            below.append(Command(f"again: {self._where}{again}"))
        verdict = None if result.skipped is not None else result.passed
        self.print_verdict(verdict, columns, [*filter(None, below)])


def _stall(case: CaseResult) -> str:
    """The stall of a case, without most of its events; empty if there was none."""
    text = report.stall(case, _EVENTS_MAX)
    return f"stall of case {case.case!r}:\n{text}" if text else ""

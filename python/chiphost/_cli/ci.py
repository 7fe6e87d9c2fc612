# SPDX-License-Identifier: Apache-2.0
"""`chiphost ci`: run all scenes of a platform."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .._text.printable import one_line, shell_join
from . import options, supervisor

if TYPE_CHECKING:
    from .._system.deadline import Deadline
    from ..scenes.report import ReportFile


@click.command()
@options.platform("Where to run them.")
@options.runtime
@click.option("-k", "text", metavar="TEXT", help="Scenes with this text in their name only.")
@click.option(
    "-t",
    "--timeout",
    type=options.Seconds(min=0, min_open=True),
    metavar="SECONDS",
    help="Stop everything after this time; scenes that are not done by then have failed.",
)
@click.option("--parallel", is_flag=True, help="Run several scenes at once, each on a worker of its own.")
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    metavar="N",
    default=0,
    show_default=True,
    help="Run a case that fails up to N times more; what happened before is shown.",
)
@click.option(
    "--case",
    "cases",
    multiple=True,
    metavar="CASE",
    help="Run this case only; may be given several times. Scenes that have none of them are skipped.",
)
@click.option("--all-cases", is_flag=True, help="Run all cases of simpler's scenes, too, not only their default ones.")
@click.option("--build-runtime", is_flag=True, help="Build the runtimes from source first, and use these.")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Checkout to build them from.  [default: the working folder or one above it]",
)
@options.json_file()
@options.report_file("--junit", "junit_file", text="Write them as JUnit XML.")
@options.scenes
@options.pto_isa
@options.how_to_run
def ci(
    platform: str,
    runtime: str | None,
    text: str | None,
    timeout: float | None,
    parallel: bool,
    retries: int,
    cases: tuple[str, ...],
    all_cases: bool,
    build_runtime: bool,
    source: Path | None,
    json_file: ReportFile | None,
    junit_file: ReportFile | None,
    scenes: Path | None,
    seed: int,
    sim_threads: int,
    isolation: str | None,
) -> None:
    """Run all cases of all scenes of a platform.

    Prints a line for each scene, in the order of their names. Those are skipped that are not for the platform, or need
    more than its chip has. Scenes run one after the other in this process, on one
    worker for each runtime that is reset in between; see --parallel.
    """
    if json_file and junit_file and json_file.path == junit_file.path:
        raise click.UsageError("--json and --junit name the same file")
    if source and not build_runtime:
        raise click.UsageError("--source is for --build-runtime")
    if cases and all_cases:
        raise click.UsageError("--case and --all-cases exclude each other")

    supervisor.begin()
    repeated = options.not_default(scenes, sim_threads, isolation)
    supervisor.tell("reports", json_file, junit_file, platform, seed, repeated)

    from .._runtimes.runtimes import ONBOARD, check_any, check_platform, find
    from .._simpler import torch_import
    from .._system.deadline import Deadline
    from ..scenes import catalog, report
    from ..scenes.runner import Runner, SceneResult, Settings
    from .display import Display
    from .terminal import Command, Interrupted, complain, plural, print_lines, progress

    started, deadline = time.monotonic(), Deadline(timeout)
    root = catalog.scenes_dir(scenes)
    check_platform(platform)
    library = _build(source, deadline) if build_runtime else None
    if library or not build_runtime:  # else the deadline was over, and every scene says so
        check_any(platform, library)
    settings = Settings(
        platform,
        isolation,
        seed,
        sim_threads,
        deadline=deadline,
        retries=retries,
        library=library,
        all_cases=all_cases,
    )
    entries = catalog.select(root, platform=platform, runtime=runtime, text=text, library=library, deadline=deadline)
    if platform in ONBOARD:
        from .._machine import chips

        if wanted := [entry.runtime for entry in entries if not entry.not_for(platform, library)]:
            chips.require(find(wanted[0], platform, library), platform)
    catalog.check_cases(entries, cases)
    names = [entry.name for entry in entries]
    width = max(len(one_line(name)) for name in names)

    class Rows(Display):
        """A row for each scene, in order: one that ends early waits for those before it."""

        def __init__(self) -> None:
            super().__init__(len(names))
            self._next = iter(names)
            self._name = next(self._next)
            self._waiting: dict[str, SceneResult] = {}
            self._without_row: set[str] = set()

        def ended(self, result: SceneResult) -> None:
            """Print the rows whose turn it is."""
            self._add(result)
            super().ended(result)

        def interrupted(self, result: SceneResult) -> None:
            """Print no row: the report has what was not done, and one line will name it."""
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
            columns = f"{one_line(result.name):<{width}}  {cases:<8}  {result.seconds:8.3f} s"
            if times := sum(len(case.earlier_errors) for case in result.cases):
                columns += f"  {'1 retry' if times == 1 else f'{times} retries'}"
            below = [result.error or "", *map(report.retries, result.cases), report.skipped(result)]
            if again := report.replay_command(result, repeated):
                where = f"CHIPHOST_LIB_DIR={shell_join([str(library)])} " if library else ""
                below.append(Command(f"again: {where}{again}"))
            verdict = None if result.skipped is not None else result.passed
            self.print_verdict(verdict, columns, [*filter(None, below)])

    with Rows() as rows:
        runner = Runner(settings, rows)
        results = runner.run(entries, cases=list(dict.fromkeys(cases)) or None, parallel=parallel)

    torch_s = torch_import.seconds()
    of_torch = "" if torch_s is None else f", {torch_s:.1f} s of it to import torch"
    print_lines(rows.console, f"Time: {time.monotonic() - started:.1f} s{of_torch}")
    # Before the last line: nobody may be there to read that.
    problems: list[options.CannotWrite] = []
    reports = ((json_file, lambda results: report.to_json(results, torch_s)), (junit_file, report.to_junit))
    for file, make in reports:
        if file is None:
            continue
        try:
            file.write(make(results))
        except OSError as error:
            problems.append(options.CannotWrite(file, error))
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
        complain(f"chiphost: nothing was run: all scenes are skipped on {platform}")
        sys.exit(2)
    sys.exit(2 if problems else 0)


def _build(source: Path | None, deadline: Deadline) -> Path | None:
    """Build the runtimes; return the folder they are in, or None if the deadline came first."""
    import contextlib
    import time

    from .._runtimes import build
    from .._system.deadline import DeadlineOver
    from .terminal import in_terminal, make_console, print_lines

    console, started = make_console(), time.monotonic()
    checkout = build.find_source(source)
    with console.status("building runtimes") if in_terminal() else contextlib.nullcontext():
        try:
            library = build.build(checkout, deadline)
        except DeadlineOver:
            return None  # every scene will say so
    print_lines(console, f"Built runtimes from {checkout} in {time.monotonic() - started:.1f} s")
    return library

# SPDX-License-Identifier: Apache-2.0
"""`chiphost ci`: run all scenes of a platform."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options

if TYPE_CHECKING:
    from ..report import ReportFile


@click.command()
@click.option("-p", "--platform", required=True, metavar="PLATFORM", help="For example a2a3sim.")
@options.runtime
@click.option("-k", "text", metavar="TEXT", help="Scenes with this text in their name only.")
@click.option(
    "-t",
    "--deadline",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Stop after this time; scenes that are not done by then have failed.",
)
@click.option("--parallel", is_flag=True, help="Run several scenes at once, each on a worker of its own.")
@options.json_file()
@options.report_file("--junit", "junit_file", text="Write them as JUnit XML.")
@options.scenes
@options.how_to_run
def ci(
    platform: str,
    runtime: str | None,
    text: str | None,
    deadline: float | None,
    parallel: bool,
    json_file: ReportFile | None,
    junit_file: ReportFile | None,
    scenes: Path | None,
    seed: int,
    sim_threads: int,
    isolation: str | None,
) -> None:
    """Run all cases of all scenes of a platform.

    Prints a line for each scene. Scenes run one after the other in this process, on one worker for each runtime that is
    reset in between; see --parallel.
    """
    if json_file and junit_file and json_file.path == junit_file.path:
        raise click.UsageError("--json and --junit name the same file")

    from .. import catalog, report
    from ..deadline import Deadline
    from ..runner import Runner, SceneResult, Settings
    from .display import Display, plural, print_lines

    settings = Settings(platform, isolation, seed, sim_threads, deadline=Deadline(deadline))
    entries = catalog.select(catalog.scenes_dir(scenes), platform=platform, runtime=runtime, text=text)
    width = max(len(entry.name) for entry in entries)
    repeated = options.not_default(scenes, sim_threads, isolation)

    class Rows(Display):
        """A row for each scene."""

        def ended(self, result: SceneResult) -> None:
            """Print the row."""
            cases = plural(len(result.cases), "case") if result.cases else "-"
            columns = f"{result.name:<{width}}  {cases:<8}  {result.seconds:8.3f} s"
            below = [result.error or ""]
            if again := report.replay_command(result, repeated):
                below.append(f"again: {again}")
            self.print_verdict(result.passed, columns, "\n".join(below))
            super().ended(result)

    with Rows(len(entries)) as rows:
        runner = Runner(settings, rows)
        results = runner.run(entries, parallel=parallel)

    # Before the last line: nobody may be there to read that.
    problems: list[options.CannotWrite] = []
    for file, make in ((json_file, report.to_json), (junit_file, report.to_junit)):
        if file is None:
            continue
        try:
            file.write(make(results))
        except OSError as error:
            problems.append(options.CannotWrite(file, error))
    if runner.interrupted:
        click.echo("chiphost: interrupted", err=True)
    print_lines(rows.console, report.summary(results))
    for problem in problems:
        problem.show()
    sys.exit(2 if problems else 0 if all(result.passed for result in results) else 1)

# SPDX-License-Identifier: Apache-2.0
"""`chiphost conform`: what a platform must do, tried out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from . import completion, options

if TYPE_CHECKING:
    from ..scenes.report import ReportFile


@click.command()
@click.option(
    "-p",
    "--platform",
    required=True,
    metavar="PLATFORM",
    help="For example a2a3sim.",
    shell_complete=completion.suites,
)
@click.option("-k", "text", metavar="TEXT", default="", help="Tests with this text in their name only.")
@click.option(
    "-t",
    "--timeout",
    type=click.IntRange(1, 86400),
    metavar="SECONDS",
    default=30,
    show_default=True,
    help="Of each test: one that takes longer has failed.",
)
@click.option(
    "--isolation",
    type=options.Choice(["namespace", "copy"]),
    help="How the platform's programs are loaded.  [default: the best that this system has]",
)
@click.option("--list", "only_list", is_flag=True, help="Show the tests and what they try; run nothing.")
@options.json_file()
@options.report_file("--junit", "junit_file", text="Write them as JUnit XML.")
def conform(
    platform: str,
    text: str,
    timeout: int,
    isolation: str | None,
    only_list: bool,
    json_file: ReportFile | None,
    junit_file: ReportFile | None,
) -> None:
    """Run the conformance suite against a platform.

    Prints a line for each test. LIST marks one that the platform's conformance.def lists with a reason; a listed test
    that passes is a failure: the list only shrinks.
    """
    if json_file and junit_file and json_file.path == junit_file.path:
        raise click.UsageError("--json and --junit name the same file")

    from rich.text import Text

    from .._conformance import suite
    from .terminal import Interrupted, make_console, print_lines, progress

    console = make_console()
    chosen = suite.tests(platform, text)
    width = max(len(test.id) for test in chosen)
    if only_list:
        for test in chosen:
            print_lines(console, f"{test.id:<{width}}  {' '.join(test.requirements)}")
        return

    results: list[suite.ConformanceResult] = []
    interrupted = False
    try:
        for result in suite.run(platform, text, isolation=isolation, timeout_s=timeout):
            results.append(result)
            listed = result.good and result.outcome != "passed"
            verdict = ("LIST", "yellow") if listed else ("PASS", "green") if result.good else ("FAIL", "bold red")
            line = Text.assemble(verdict, f"  {result.id:<{width}}  {result.seconds:7.3f} s")
            if listed:
                line.append(f"  {result.outcome}: {result.reason}")
            below = [] if result.good else [f"{result.message}\n{' '.join(result.requirements)}".strip()]
            print_lines(console, line, below)
    except KeyboardInterrupt:
        interrupted = True
    done = len(results)
    if interrupted:  # in the reports, what was not done is no success
        results += [suite.interrupted(test) for test in chosen if test.id not in {each.id for each in results}]

    problems = []
    for file, make in ((json_file, suite.to_json), (junit_file, suite.to_junit)):
        if file is None:
            continue
        try:
            file.write(make(platform, results))
        except OSError as error:
            problems.append(options.CannotWrite(file, error))
    print_lines(console, suite.summary(results))
    for problem in problems:
        problem.show()
    if interrupted:
        raise Interrupted(progress(done, len(results), "test"))
    sys.exit(2 if problems else 0 if all(result.good for result in results) else 1)

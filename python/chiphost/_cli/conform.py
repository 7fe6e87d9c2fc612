# SPDX-License-Identifier: Apache-2.0
"""`chiphost conform`: try out what a platform must do."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

from .._conformance import suite
from .._conformance.suite import ConformanceResult
from .._reports.file import ReportFile
from . import reports
from .console import make_console, print_lines
from .terminal import Interrupted, progress


def main(
    platform: str,
    text: str,
    timeout: int,
    isolation: str | None,
    only_list: bool,
    json_file: ReportFile | None,
    junit_file: ReportFile | None,
) -> None:
    """Run the tests, print a line for each, and end with the exit code; or list them. See `commands.conform`."""
    console = make_console()
    chosen = suite.tests(platform, text)
    width = max(len(test.id) for test in chosen)
    if only_list:
        for test in chosen:
            print_lines(console, f"{test.id:<{width}}  {' '.join(test.requirements)}")
        return

    results: list[ConformanceResult] = []
    interrupted = False
    try:
        for result in suite.run(platform, text, isolation=isolation, timeout_s=timeout):
            results.append(result)
            _print(console, result, width)
    except KeyboardInterrupt:
        interrupted = True
    done = len(results)
    if interrupted:  # in the reports, what was not done is no success
        results += [suite.interrupted(test) for test in chosen if test.id not in {each.id for each in results}]
    problems = reports.write(
        (json_file, lambda: suite.to_json(platform, results)), (junit_file, lambda: suite.to_junit(platform, results))
    )
    print_lines(console, suite.summary(results))
    for problem in problems:
        problem.show()
    if interrupted:
        raise Interrupted(progress(done, len(results), "test"))
    sys.exit(2 if problems else 0 if all(result.good for result in results) else 1)


def _print(console: Console, result: ConformanceResult, width: int) -> None:
    listed = result.good and result.outcome != "passed"
    verdict = ("LIST", "yellow") if listed else ("PASS", "green") if result.good else ("FAIL", "bold red")
    line = Text.assemble(verdict, f"  {result.id:<{width}}  {result.seconds:7.3f} s")
    if listed:
        line.append(f"  {result.outcome}: {result.reason}")
    story = [result.message, " ".join(result.requirements), *result.addresses]
    below = [] if result.good else ["\n".join(story).strip()]
    print_lines(console, line, below)

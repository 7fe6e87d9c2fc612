# SPDX-License-Identifier: Apache-2.0
"""Results of scenes for people and for programs: lines, JSON and JUnit XML."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from .._reports.file import as_json
from .._reports.junit import Case, Suite, as_junit
from .._text.printable import shell_join
from ..checks.gap import Gap
from ..checks.words import as_text, gap_as_text
from .results import NOT_STARTED, CaseResult, SceneResult
from .seeds import Seed

_EVENTS: Final = "the last "  # the beginning of the line above the events of a stall report
DEFAULT_PLATFORM: Final = "a2a3sim"  # where `chiphost run` runs a scene


def to_json(results: Sequence[SceneResult], torch_s: float | None = None) -> str:
    """The JSON report: counts, and an object for each scene with its cases.

    `torch_s` is the time that importing torch took, None if it was not imported.
    """
    scenes = [dataclasses.asdict(result) for result in results]
    for scene, result in zip(scenes, results, strict=True):
        del scene["has_all_cases"]  # is for the command that runs it again
        for case, case_result in zip(scene["cases"], result.cases, strict=True):
            for data, finding in zip(case["findings"], case_result.findings, strict=True):
                data["text"] = as_text(finding)
    counts = {
        "total": len(results),
        "passed": sum(result.passed for result in results),
        "failed": sum(result.failed for result in results),
        "skipped": sum(result.skipped is not None for result in results),
    }
    times = {} if torch_s is None else {"torch_import_seconds": round(torch_s, 3)}
    return as_json({**counts, **times, "scenes": scenes})


def to_junit(results: Sequence[SceneResult]) -> str:
    """The JUnit report: a suite for each scene, a test case for each case."""
    return as_junit("chiphost", map(_suite, results))


def _suite(result: SceneResult) -> Suite:
    group = f"{result.platform}.{result.name}"
    cases = [
        Case(
            case.case,
            group,
            case.seconds,
            case.error or "",
            case.skipped or "",
            "\n".join(filter(None, (retries(case), case.stall_report))),
        )
        for case in result.cases
    ]
    if result.failed and not any(case.error for case in result.cases):  # the fault is in no case
        cases.append(Case("(scene)", group, result.seconds, result.error or ""))
    return Suite(result.name, {"platform": result.platform, "seed": str(result.seed)}, cases)


def summary(results: Sequence[SceneResult]) -> str:
    """The last line of `chiphost ci`."""
    passed, failed = sum(result.passed for result in results), sum(result.failed for result in results)
    skipped = len(results) - passed - failed
    again = sum(any(case.earlier_errors for case in result.cases) for result in results)
    line = f"Total: {len(results)}  Passed: {passed}  Failed: {failed}"
    if skipped:
        line += f"  Skipped: {skipped}"
    return f"{line}  Retried: {again}" if again else line


def skipped(result: SceneResult) -> str:
    """The cases of a scene that were not run, with the reason, a line each; empty if all were run."""
    if result.skipped is not None:
        return result.skipped
    return "\n".join(f"case {case.case!r} skipped: {case.skipped}" for case in result.cases if case.skipped)


def not_checked(result: SceneResult) -> str:
    """What the checks of a scene did not see, a line for each of its programs; empty if nothing is known of that."""
    programs: dict[str, list[Gap]] = {}
    for gap in dict.fromkeys(gap for case in result.cases for gap in case.not_checked):
        programs.setdefault(gap.program, []).append(gap)
    return "\n".join(
        gap_as_text(first) + (f"; and in {len(others)} other place{'s' if len(others) > 1 else ''}" if others else "")
        for first, *others in programs.values()
    )


def lost_parallelism(result: SceneResult) -> str:
    """The cases in whose graphs tasks wait for no reason, a line each; empty if there are none."""
    return "\n".join(
        f"case {case.case!r}: {_edges(case.unnecessary_edges)} that no access needs: tasks wait that could run at once"
        for case in result.cases
        if case.unnecessary_edges
    )


def orders(result: SceneResult) -> str:
    """The digest of the order of each case, a line each; empty if there is none."""
    return "\n".join(f"case {case.case!r}: order {case.order_digest}" for case in result.cases if case.order_digest)


def stall(case: CaseResult, events_max: int | None = None) -> str:
    """What waited for what in a case that could not end, a line each, and the last events.

    The message is left out: it is in the case's error. Empty if there is nothing else to say.

    Args:
        case: its result.
        events_max: how many events to show; None for all.
    """
    if case.stall_report is None:
        return ""
    lines = case.stall_report.splitlines()[1:]
    events = next((number for number, line in enumerate(lines) if line.startswith(_EVENTS)), len(lines))
    waits, header, events_shown = lines[:events], lines[events : events + 1], lines[events + 1 :]
    left_out = 0 if events_max is None else max(len(events_shown) - events_max, 0)
    if left_out:
        header = [f"the last {events_max} events (`chiphost run`, --json and --junit have {left_out} more):"]
    return "\n".join([*waits, *header, *events_shown[left_out:]])


def retries(case: CaseResult) -> str:
    """The errors before the result of a case, if it was run again; empty if it was not."""
    times = len(case.earlier_errors)
    verdict = "passed" if case.passed else "failed"
    lines = [f"case {case.case!r} {verdict} when run for the {_ordinal(times + 1)} time"] if times else []
    lines += [f"{_ordinal(index)} time: {error}" for index, error in enumerate(case.earlier_errors, 1)]
    return "\n".join(lines)


def replay_command(result: SceneResult, options: Sequence[str] = ()) -> str:
    """The command that runs a failure again in the same way; empty if there is nothing to run.

    Of cases that failed with different seeds it runs those that failed with the seed of the first.
    """
    seeds = {
        case.case: _seed(result, case) for case in result.cases if case.error and not case.error.startswith(NOT_STARTED)
    }
    if not seeds:
        return ""
    seed = next(iter(seeds.values()))
    failed = [case for case, of_case in seeds.items() if of_case == seed]
    all_failed = result.has_all_cases and len(failed) == len(result.cases)
    cases = ["--all-cases"] if all_failed else [word for case in failed for word in ("--case", case)]
    words = ["chiphost", "run", result.name, "-p", result.platform, *cases, *seed.words(), *options]
    return shell_join(words)


def show_command(
    scene: str, platform: str, case: str | None, seed: Seed, check: str, options: Sequence[str] = ()
) -> str:
    """The command that shows a finding of a check again. `case` is None for the one that runs anyway."""
    words = ["chiphost", "run", scene]
    words += [] if platform == DEFAULT_PLATFORM else ["-p", platform]
    words += [] if case is None else ["--case", case]
    words += [] if seed == Seed() else seed.words()
    return shell_join([*words, f"--check={check}", *options])


def _edges(count: int) -> str:
    return "1 edge" if count == 1 else f"{count} edges"


def _seed(result: SceneResult, case: CaseResult) -> Seed:
    if case.input_seed is None or case.order_seed is None:  # it was not run, or nobody knows
        return Seed(result.seed, result.seed)
    return Seed(case.input_seed, case.order_seed)


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"

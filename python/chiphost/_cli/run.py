# SPDX-License-Identifier: Apache-2.0
"""`chiphost run`: run one scene."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .._runtimes import runtimes
from .._text.printable import one_line
from ..errors import make_error
from ..scene import Scene
from ..scenes import catalog, report
from ..scenes.catalog import Entry
from ..scenes.results import CaseResult, SceneResult, Settings
from ..scenes.runner import Runner
from ..scenes.seeds import Seeds
from . import checking, options
from .console import make_console, print_lines
from .display import Display
from .terminal import Command, Interrupted, complain, plural, progress


def main(
    scene: str | None,
    platform: str,
    runtime: str | None,
    cases: tuple[str, ...],
    all_cases: bool,
    rounds: int | None,
    timeout: float | None,
    scenes: Path | None,
    list_only: bool,
    seeds: Seeds,
    verbose: bool,
    sim_threads: int,
    isolation: str | None,
    check: int,
    repeated: tuple[str, ...],
) -> None:
    """Run the scene, or list scenes; see `commands.run`."""
    root = catalog.scenes_dir(scenes)
    runtimes.check_platform(platform)
    checking.require(check, platform)
    if list_only:
        _list(root, scene, runtime)
        return
    assert scene is not None
    entry = catalog.find(root, scene, runtime=runtime, platform=platform)
    runtimes.find(entry.runtime, platform)
    _check(entry, platform, cases)
    settings = Settings(
        platform,
        isolation,
        seeds.first,
        sim_threads,
        rounds,
        timeout,
        check=check,
        repeated=repeated,
        seeds=seeds,
        order_digests=verbose,
    )
    again = [*repeated, *options.check_words(check)]
    _run(entry, settings, _wanted(entry, cases, all_cases), again)


def _run(entry: Entry, settings: Settings, cases: Sequence[str] | None, repeated: Sequence[str]) -> None:
    """Run cases of a scene, print their results, and end with the exit code."""
    with Display(1) as display:
        runner = Runner(settings, display)
        [result] = runner.run([entry], cases=cases)

    if entry.scene:
        print_lines(display.console, one_line(f"{entry.name} on {settings.platform}: {entry.scene.description}"))
    done = runner.unfinished.get(entry.name, len(result.cases)) if runner.interrupted else len(result.cases)
    _print_cases(display, result, result.cases[:done], repeated)
    for note in filter(None, (report.not_checked(result), report.lost_parallelism(result))):
        for line in note.split("\n"):
            print_lines(display.console, line)
    if runner.interrupted:
        raise Interrupted(progress(done, len(result.cases), "case"), runner.under_way)
    if result.failed and not any(case.error for case in result.cases):  # the fault is in no case
        display.print_verdict(False, entry.name, [result.error or ""])
    if result.skipped is not None:
        complain(f"chiphost: nothing was run: {one_line(entry.name)} is skipped on {settings.platform}")
        sys.exit(2)
    sys.exit(0 if result.passed else 1)


def _print_cases(display: Display, result: SceneResult, cases: Sequence[CaseResult], repeated: Sequence[str]) -> None:
    """A line for each of these cases; columns are as wide as all cases of the scene need."""
    width = max((len(one_line(case.case)) for case in result.cases), default=0)
    for case in cases:
        tasks = "-" if case.tasks is None else plural(case.tasks, "task")
        columns = f"{one_line(case.case):<{width}}  {tasks:>10}  {case.seconds:8.3f} s{_times(case)}"
        if case.order_digest:
            columns += f"  order {case.order_digest}"
        below = [case.error or case.skipped or "", report.stall(case)]
        if case.seeds and case.error:  # others passed before
            one = replace(result, cases=(case,), has_all_cases=False)
            below.append(Command(f"again: {report.replay_command(one, repeated)}"))
        display.print_verdict(None if case.skipped else case.passed, columns, below)


def _times(case: CaseResult) -> str:
    if case.seeds > 1 or (case.seeds and case.error):
        return f"  {plural(case.seeds, 'seed')} passed"
    return f"  {plural(case.rounds, 'round')}" if case.rounds > 1 else ""


def _wanted(entry: Entry, cases: Sequence[str], all_cases: bool) -> Sequence[str] | None:
    if entry.scene is None:
        return None
    if all_cases:
        return list(entry.scene.cases)
    return list(dict.fromkeys(cases)) or [entry.scene.default_case]


def _check(entry: Entry, platform: str, cases: Sequence[str]) -> None:
    """Raise an error if something asked for does not exist; the runner reports a scene that cannot be loaded."""
    if entry.scene is None:
        return
    if why := entry.scene.not_for(platform):
        raise make_error("SCENE_UNKNOWN", f"the scene {why}", entry.name, hint="name one of its platforms with -p")
    for case in cases:
        entry.scene.case(case)
        if why := entry.scene.not_for(platform, case):
            message = f"case {case!r} {why}"
            raise make_error("SCENE_UNKNOWN", message, entry.name, hint="name one of its platforms with -p")


def _list(root: Path, scene: str | None, runtime: str | None) -> None:
    """Show scenes with their cases: the one that is named, or all of a runtime, or all."""
    if scene is not None:
        entries = [catalog.find(root, scene, runtime=runtime)]
    else:
        entries = [
            catalog.load(name, folder)
            for name, folder in catalog.scenes_in(root)
            if runtime is None or name.startswith(f"{runtime}/")
        ]
    console = make_console()
    for entry in entries:
        print_lines(console, one_line(entry.name), [_describe(entry.scene) if entry.scene else str(entry.error)])


def _describe(scene: Scene) -> str:
    notes = {scene.default_case: "default"}
    notes |= {case: f"{', '.join(platforms)} only" for case, platforms in scene.case_platforms.items()}
    platforms = "all" if scene.platforms is None else ", ".join(scene.platforms)
    cases = [one_line(f"{case} ({notes[case]})" if case in notes else case) for case in scene.cases]
    return f"{scene.description}\ncases: {', '.join(cases)}\nplatforms: {platforms}"

# SPDX-License-Identifier: Apache-2.0
"""`chiphost run`: run one scene."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .._text.printable import one_line
from . import completion, options, supervisor

if TYPE_CHECKING:
    from ..scene import Scene
    from ..scenes.catalog import Entry


@click.command()
@click.argument("scene", required=False, shell_complete=completion.scenes)
@options.platform("Where to run it.")
@options.runtime
@click.option("--case", "cases", multiple=True, metavar="CASE", help="Run this case; may be given several times.")
@click.option("--all-cases", is_flag=True, help="Run all cases.")
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    metavar="N",
    help="Run each case so many times on one worker.  [default: what the scene says]",
)
@click.option(
    "--timeout",
    type=options.Seconds(min=0),
    metavar="SECONDS",
    help="Stop a run after this time; 0 never does.  [default: 60]",
)
@options.scenes
@options.pto_isa
@click.option("--list", "list_only", is_flag=True, help="Show the scenes and their cases, and run nothing.")
@options.how_to_run
def run(
    scene: str | None,
    platform: str,
    runtime: str | None,
    cases: tuple[str, ...],
    all_cases: bool,
    rounds: int | None,
    timeout: float | None,
    scenes: Path | None,
    list_only: bool,
    seed: int,
    sim_threads: int,
    isolation: str | None,
) -> None:
    """Run a scene: its default case, unless others are named.

    SCENE is "<runtime>/<scene>", or "<scene>" if there is only one of that name, or the path of a scene's folder.
    """
    if scene is None and not list_only:
        raise click.UsageError("name a scene; chiphost run --list shows them")
    if cases and all_cases:
        raise click.UsageError("--case and --all-cases exclude each other")

    supervisor.begin()

    from .._runtimes import runtimes
    from ..scenes import catalog

    root = catalog.scenes_dir(scenes)
    runtimes.check_platform(platform)
    if list_only:
        _list(root, scene, runtime)
        return
    assert scene is not None
    entry = catalog.find(root, scene, runtime=runtime, platform=platform)
    runtimes.find(entry.runtime, platform)
    _check(entry, platform, cases)

    from ..scenes.runner import Runner, Settings
    from .display import Display
    from .terminal import Interrupted, complain, plural, print_lines, progress

    settings = Settings(platform, isolation, seed, sim_threads, rounds, timeout)
    with Display(1) as display:
        runner = Runner(settings, display)
        [result] = runner.run([entry], cases=_wanted(entry, cases, all_cases))

    if entry.scene:
        print_lines(display.console, one_line(f"{entry.name} on {platform}: {entry.scene.description}"))
    width = max((len(one_line(case.case)) for case in result.cases), default=0)
    done = runner.unfinished.get(entry.name, len(result.cases)) if runner.interrupted else len(result.cases)
    for case in result.cases[:done]:
        tasks = "-" if case.tasks is None else plural(case.tasks, "task")
        times = f"  {plural(case.rounds, 'round')}" if case.rounds > 1 else ""
        columns = f"{one_line(case.case):<{width}}  {tasks:>10}  {case.seconds:8.3f} s{times}"
        display.print_verdict(None if case.skipped else case.passed, columns, [case.error or case.skipped or ""])
    if runner.interrupted:
        raise Interrupted(progress(done, len(result.cases), "case"), runner.under_way)
    if result.failed and not any(case.error for case in result.cases):  # the fault is in no case
        display.print_verdict(False, entry.name, [result.error or ""])
    if result.skipped is not None:
        complain(f"chiphost: nothing was run: {one_line(entry.name)} is skipped on {platform}")
        sys.exit(2)
    sys.exit(0 if result.passed else 1)


def _wanted(entry: Entry, cases: Sequence[str], all_cases: bool) -> Sequence[str] | None:
    if entry.scene is None:
        return None
    if all_cases:
        return list(entry.scene.cases)
    return list(dict.fromkeys(cases)) or [entry.scene.default_case]


def _check(entry: Entry, platform: str, cases: Sequence[str]) -> None:
    """Whether what is asked for exists; a scene that cannot be loaded is reported by the runner."""
    from ..errors import make_error

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
    from ..scenes import catalog
    from .terminal import make_console, print_lines

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

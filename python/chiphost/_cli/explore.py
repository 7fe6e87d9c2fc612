# SPDX-License-Identifier: Apache-2.0
"""`chiphost explore`: run a scene in many schedules."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from .._explore import decisions, driver
from .._explore.bound import Counts
from .._explore.decisions import DecisionLog
from .._explore.driver import Explored, Plan
from .._explore.subject import Subject
from .._reports.file import ReportFile, as_json
from .._runtimes import runtimes
from .._text.printable import one_line, shell_join
from ..callable import ChipCallable
from ..errors import make_error
from ..scene import Scene
from ..scenes import catalog, events
from ..scenes.catalog import Entry
from ..scenes.programs import compile_scenes
from ..scenes.results import Settings
from ..scenes.run import Workers
from . import reports
from .console import make_console, print_lines
from .terminal import Command, Interrupted, in_terminal, plural

_RATE_S_MIN: Final = 0.5  # of an exploration that is long enough to tell how fast it was
_LOG_CHARACTERS_MAX: Final = 2000  # of a command; a longer log goes to a file of its own


class _Exploration:
    """A case of a scene that is explored, on a worker that is open."""

    def __init__(
        self,
        scene: Scene,
        callables: Sequence[ChipCallable],
        case: str,
        settings: Settings,
        workers: Workers,
        block_dim: int | None,
    ) -> None:
        worker = workers.ready(scene.runtime)
        self.scene, self.case, self._callables, self._worker = scene, case, callables, worker
        self._settings = settings
        self._config: dict[str, Any] = scene.config_of(case, worker.chip)
        if block_dim is not None:
            self._config["block_dim"] = block_dim

    def subject(self, program: int) -> Subject:
        """One of its programs."""
        if program >= len(self._callables):
            message = f"the scene has {len(self._callables)} programs, found number {program}, counted from 0"
            raise make_error("INVALID_ARGUMENT", message, "replay")
        return Subject(
            self._worker,
            self.scene,
            self._callables,
            self.case,
            self._config,
            input_seed=self._settings.wanted_seeds.first,
            program=program,
        )

    @property
    def programs(self) -> int:
        """How many programs there are."""
        return len(self._callables)


def main(
    scene: str,
    platform: str,
    runtime: str | None,
    case: str | None,
    plan: Plan,
    replay: str | None,
    block_dim: int | None,
    input_seed: int,
    scenes: Path | None,
    isolation: str | None,
    json_file: ReportFile | None,
    repeated: Sequence[str],
) -> None:
    """Explore the scene, print what was found, and end with the exit code; see `commands.explore`."""
    log = None if replay is None else decisions.parse(_text_of(replay))
    runtimes.check_platform(platform)
    entry = catalog.find(catalog.scenes_dir(scenes), scene, runtime=runtime, platform=platform)
    runtimes.find(entry.runtime, platform)
    scene_, callables = _compiled(entry, platform)
    case = case or scene_.default_case
    scene_.case(case)
    settings = Settings(platform, isolation, input_seed)
    console = make_console()
    print_lines(console, one_line(f"{entry.name} on {platform}: {scene_.description}"))
    events.tell("running", entry.name, case)
    with Workers(settings) as workers, events.one_process():
        if why := scene_.shortage(case, platform, workers.ready(scene_.runtime).chip):
            raise make_error("SCENE_UNKNOWN", f"case {case!r} {why}", entry.name)
        exploration = _Exploration(scene_, callables, case, settings, workers, block_dim)
        if log is not None:
            sys.exit(_replay(console, exploration, log))
        results = _explore(console, exploration, plan)
    again = ["chiphost", "explore", entry.name, "-p", platform, "--case", case, "--input-seed", str(input_seed)]
    commands = [_show(console, result, [*again, *repeated]) for result in results]
    problems = reports.write((json_file, lambda: _to_json(entry.name, platform, case, plan, results, commands)))
    for problem in problems:
        problem.show()
    sys.exit(1 if any(result.error for result in results) else 2 if problems else 0)


def _compiled(entry: Entry, platform: str) -> tuple[Scene, Sequence[ChipCallable]]:
    compiled = compile_scenes([entry], platform)[entry.name]
    if isinstance(compiled, Exception):
        raise compiled
    assert entry.scene is not None, "what has no description is not compiled"
    return entry.scene, compiled


def _explore(console: Any, exploration: _Exploration, plan: Plan) -> list[Explored]:
    """Explore all programs, one after the other, until one fails."""
    results: list[Explored] = []
    try:
        for program in range(exploration.programs):
            with _progress(console) as progress:
                results.append(driver.explore(exploration.subject(program), plan, progress))
            if results[-1].error:
                break
    except KeyboardInterrupt as stop:
        raise Interrupted(f"{len(results)} of {exploration.programs} programs had been explored") from stop
    return results


@contextlib.contextmanager
def _progress(console: Any) -> Iterator[Any]:
    if not in_terminal():
        yield lambda counts: None
        return
    with console.status("exploring") as status:

        def show(counts: Counts) -> None:
            status.update(f"{counts.schedules:,} schedules, {counts.orders:,} orders")

        yield show


def _replay(console: Any, exploration: _Exploration, log: DecisionLog) -> int:
    """Run one schedule; return the exit code."""
    subject = exploration.subject(log.program)
    error, made = subject.replay(log)
    words = f"{exploration.case}  {plural(len(made.decisions), 'decision')}"
    if subject.digest:
        words += f"  order {subject.digest}"
    print_lines(console, f"{'FAIL' if error else 'PASS'}  {words}", [error] if error else [])
    return 1 if error else 0


def _show(console: Any, result: Explored, again: Sequence[str]) -> str:
    """Print a result; return the command that replays its failure, empty if there is none."""
    times = f"{result.seconds:.1f} s"
    if result.seconds > _RATE_S_MIN:
        times += f", {result.counts.schedules / result.seconds:,.0f} schedules a second"
    if result.failure is None:
        print_lines(console, f"PASS  {result.words}", [times])
        return ""
    log = str(result.failure)
    if len(log) > _LOG_CHARACTERS_MAX:
        file = Path("chiphost-schedule.log")
        file.write_text(log)
        log = f"@{file}"
    command = shell_join([*again, "--replay", log])
    number = len(result.failure.decisions)
    found = f"schedule {result.counts.schedules:,} fails with {result.found} decisions, and still with {number} of them"
    if result.found == number:
        found = f"schedule {result.counts.schedules:,} fails with {plural(number, 'decision')}"
    if number == 0:
        found = "the default order fails"
    print_lines(console, f"FAIL  {found}", [result.error, times, Command(f"again: {command}")])
    return command


def _text_of(replay: str) -> str:
    if not replay.startswith("@"):
        return replay
    try:
        return Path(replay[1:]).read_text().strip()
    except OSError as error:
        raise make_error("INVALID_ARGUMENT", f"cannot read {replay[1:]}: {error.strerror}", "replay") from error


def _to_json(
    name: str, platform: str, case: str, plan: Plan, results: Sequence[Explored], commands: Sequence[str]
) -> str:
    programs = [
        {
            **dataclasses.asdict(result.counts),
            "complete": result.complete,
            "seconds": round(result.seconds, 3),
            "words": result.words,
            "error": result.error or None,
            "log": None if result.failure is None else str(result.failure),
            "command": command or None,
        }
        for result, command in zip(results, commands, strict=True)
    ]
    described = {"strategy": plan.strategy, "level": plan.level, "depth": plan.depth, "seed": plan.seed}
    return as_json({"scene": name, "platform": platform, "case": case, **described, "programs": programs})

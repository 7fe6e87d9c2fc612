# SPDX-License-Identifier: Apache-2.0
"""What a run of scenes is asked for, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .._system.deadline import Deadline

NOT_STARTED: Final = "not started"  # how the error of a case begins that the deadline or Ctrl-C kept from running


@dataclass(frozen=True)
class CaseResult:
    """How one case of a scene went.

    Attributes:
        case: its name.
        passed: whether all rounds gave the expected result.
        seconds: time it took, inputs and checks included.
        error: why it failed, or None.
        tasks: tasks in the graph, or the graphs of all programs; None if no run came to an end.
        rounds: how many rounds were right.
        earlier_errors: why it failed before, if it was run again: one for each time.
        skipped: why it was not run: it is not for this platform, or needs more than that has. Then it neither passed
            nor failed.
    """

    case: str
    passed: bool
    seconds: float
    error: str | None
    tasks: int | None
    rounds: int
    earlier_errors: tuple[str, ...] = ()
    skipped: str | None = None


@dataclass(frozen=True)
class SceneResult:
    """How one scene went.

    Attributes:
        name: "<runtime>/<scene>".
        platform: where it ran.
        runtime: what ran it.
        passed: whether all cases passed that were run, and one was.
        seconds: time it took, without compiling.
        error: why it failed, or None.
        seed: what orders the simulated processors and makes the inputs.
        cases: one for each case; none if the scene could not be loaded.
        skipped: why none of its cases was run; see CaseResult.
        has_all_cases: whether `cases` are all that the scene has.
    """

    name: str
    platform: str
    runtime: str
    passed: bool
    seconds: float
    error: str | None
    seed: int
    cases: tuple[CaseResult, ...]
    skipped: str | None = None
    has_all_cases: bool = True

    @property
    def failed(self) -> bool:
        """Whether it neither passed nor was skipped."""
        return not self.passed and self.skipped is None


@dataclass(frozen=True)
class Settings:
    """How scenes are run.

    Attributes:
        platform: where.
        isolation: of the workers; None: the default of this system.
        seed: orders the simulated processors and makes the inputs.
        sim_threads: host threads for the simulated processors of one run.
        rounds: how often each case is run; None: as the scene says.
        timeout_s: of one run; None: what is left until the deadline, or a run's default without one.
        deadline: of everything.
        retries: how often a case that fails is run again.
        library: the folder with the runtimes; None: the installed one.
        all_cases: whether to run all cases where none are named, not the usual ones of a scene.
    """

    platform: str
    isolation: str | None = None
    seed: int = 0
    sim_threads: int = 1
    rounds: int | None = None
    timeout_s: float | None = None
    deadline: Deadline = field(default_factory=Deadline)
    retries: int = 0
    library: Path | None = None
    all_cases: bool = False


class Watcher:
    """Told what happens, on the thread that called `Runner.run`. This one does nothing.

    Of each scene it is told once that it has ended, or that Ctrl-C kept it from its end.
    """

    def compiled(self, done: int, total: int, name: str) -> None:
        """So many files are compiled, this one last."""

    def started(self, scene: str) -> None:
        """A scene begins."""

    def ended(self, result: SceneResult) -> None:
        """A scene has its result."""

    def interrupted(self, result: SceneResult) -> None:
        """Ctrl-C kept a scene from its end, or from its beginning."""

# SPDX-License-Identifier: Apache-2.0
"""The settings of a run of scenes, and its results."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .._system.deadline import Deadline
from ..checks.finding import Finding
from ..checks.gap import Gap
from .seeds import Seeds

NOT_STARTED: Final = "not started"  # the beginning of the error of a case that the deadline or Ctrl-C kept from running


@dataclass(frozen=True)
class CaseResult:
    """The result of one case of a scene.

    Attributes:
        case: its name.
        passed: whether all rounds gave the expected result, and checks found nothing.
        seconds: time it took, inputs and the comparison of results included.
        error: why it failed, or None. It says what was found as text.
        tasks: tasks in the graph, or the graphs of all programs; None if no run came to an end.
        rounds: how many rounds were right.
        earlier_errors: why it failed before, if it was run again: one for each time.
        skipped: why it was not run: it is not for this platform, or needs more than that has. Then it neither passed
            nor failed.
        findings: what the checks found, each cause once; () if there were no checks.
        not_checked: what they did not see.
        unnecessary_edges: edges that the runtime made and no conflict wants, of the program that has most of them; None
            if there were no checks.
        input_seed, order_seed: those of the last run, which is the one that failed if one did; None if it was not run.
        seeds: how many seeds gave the expected result, and no findings.
        order_digest: in which order tasks ran on which cores in the last run (see `order_digest`); None if nobody
            wanted it, or there is no order to tell.
        stall_report: what waited for what in the last run, if that could not end (see `ChiphostError`); else None.
    """

    case: str
    passed: bool
    seconds: float
    error: str | None
    tasks: int | None
    rounds: int
    earlier_errors: tuple[str, ...] = ()
    skipped: str | None = None
    findings: tuple[Finding, ...] = ()
    not_checked: tuple[Gap, ...] = ()
    unnecessary_edges: int | None = None
    input_seed: int | None = None
    order_seed: int | None = None
    seeds: int = 0
    order_digest: str | None = None
    stall_report: str | None = None


@dataclass(frozen=True)
class SceneResult:
    """The result of one scene.

    Attributes:
        name: "<runtime>/<scene>".
        platform: where it ran.
        runtime: what ran it.
        passed: whether all cases passed that were run, and one was.
        seconds: time it took, without compiling.
        error: why it failed, or None.
        seed: what orders the simulated processors and makes the inputs; the first if there are several.
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
        """True if it neither passed nor was skipped."""
        return not self.passed and self.skipped is None


@dataclass(frozen=True)
class Settings:
    """The settings with which scenes are run.

    Attributes:
        platform: where.
        isolation: of the workers; None: the default of this system.
        seed: orders the simulated processors and makes the inputs.
        seeds: what to take instead of that one seed; None: nothing.
        sim_threads: host threads for the simulated processors of one run.
        rounds: how often each case is run; None: as the scene says.
        timeout_s: of one run; None: what is left until the deadline, or a run's default without one.
        deadline: of everything.
        retries: how often a case that fails is run again.
        library: the folder with the runtimes; None: the installed one.
        all_cases: whether to run all cases where none are named, not the usual ones of a scene.
        check: the bit mask of the checks to make; see `checks.BITS`.
        repeated: further options of a command that runs a scene again in the same way.
        order_digests: whether to find out in which order tasks ran, where that can be done.
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
    check: int = 0
    repeated: tuple[str, ...] = ()
    seeds: Seeds | None = None
    order_digests: bool = False

    @property
    def wanted_seeds(self) -> Seeds:
        """The seeds to try."""
        return self.seeds or Seeds(self.seed, self.seed)


class Watcher:
    """Is told what happens, on the thread that called `Runner.run`. This one does nothing.

    About each scene it is told once that it has ended, or that Ctrl-C kept it from its end.
    """

    def compiled(self, done: int, total: int, name: str) -> None:
        """Hear that `done` files are compiled, `name` last."""

    def started(self, scene: str) -> None:
        """Hear that a scene begins."""

    def ended(self, result: SceneResult) -> None:
        """Hear that a scene has its result."""

    def interrupted(self, result: SceneResult) -> None:
        """Hear that Ctrl-C kept a scene from its end, or from its beginning."""

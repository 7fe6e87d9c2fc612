# SPDX-License-Identifier: Apache-2.0
"""What is explored: one program of a case, with its inputs, on a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from .._core import Exploration
from ..callable import ChipCallable
from ..errors import ChiphostError, SceneError
from ..scene import Scene, copy_args
from ..scenes.order_digest import digest_of
from ..worker import ChipWorker
from .bound import Counts
from .decisions import LEVELS, DecisionLog

REPLAY: Final = 0
STRATEGIES: Final = {"random": 1, "pct": 2, "pos": 3, "exhaustive": 4}  # by name, the numbers of ch_strategy
_ALL, _DIFFERS = 2, 3  # of ch_exploration_outcome

_CALL_S_MAX: Final = 60.0  # for a call to end after its time; a schedule that takes longer hangs
_NOT_ITS_FAULT: Final = ("INTERRUPTED", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "NOT_INITIALIZED", "POISONED")


class Subject:
    """One program of a case on a worker. The programs before it have run, in the default order.

    Attributes:
        digest: of the order of the last schedule that was replayed with a trace; None if it failed before its end.
    """

    def __init__(
        self,
        worker: ChipWorker,
        scene: Scene,
        callables: Sequence[ChipCallable],
        case: str,
        config: Mapping[str, Any],
        *,
        input_seed: int = 0,
        program: int = 0,
    ) -> None:
        """Make the inputs, and run the programs before it."""
        self.digest: str | None = None
        self._worker, self._scene, self._callables, self._case = worker, scene, callables, case
        self._config, self._program = dict(config), program
        self._before = scene.make_args(case, input_seed)
        self._expected = scene.expected(case, self._before)
        self._values = copy_args(self._before)
        self._run_programs(range(program), self._values)
        self._begun = False

    def explore(
        self,
        strategy: str,
        level: str,
        *,
        depth: int = 1,
        seed: int = 0,
        every_core: bool = False,
        race_free: bool = False,
        schedules_max: int,
        time_max_s: float,
    ) -> tuple[Counts, bool, DecisionLog | None, str]:
        """Run schedules: the default order first, or those after the ones of the call before.

        Returns what was run in all calls, whether there is no further schedule, and the schedule that failed with its
        error, or None.

        Raises:
            DeadlineError: it was interrupted, or a kernel hangs.
            PlatformError: UNIMPLEMENTED, on a real chip or in a child process.
        """
        wanted = Exploration()
        wanted.strategy, wanted.level = STRATEGIES[strategy], LEVELS.index(level)
        wanted.depth, wanted.seed = depth, seed
        wanted.every_core, wanted.race_free = int(every_core), int(race_free)
        wanted.schedules_max, wanted.time_max_ns = schedules_max, max(int(time_max_s * 1e9), 1)
        if not self._begun:  # only the default order, which has to be right
            wanted.schedules_max = 0
        wanted.goes_on = int(self._begun)
        error = self._failure(wanted, time_max_s)
        self._begun = True
        counts = Counts(wanted.schedules, wanted.orders, wanted.events, wanted.decisions, wanted.processors)
        log = DecisionLog(level, tuple(wanted.found), self._program) if error else None
        return counts, not error and wanted.outcome == _ALL, log, error

    def replay(self, log: DecisionLog) -> tuple[str, DecisionLog]:
        """Run one schedule again. Returns its error, empty if there is none, and the decisions that it made."""
        if not self._begun:
            self.explore("random", log.level, schedules_max=0, time_max_s=_CALL_S_MAX)
        wanted = Exploration()
        wanted.strategy, wanted.level, wanted.goes_on, wanted.schedules_max = REPLAY, LEVELS.index(log.level), 1, 1
        wanted.log = list(log.decisions)
        return self._failure(wanted, _CALL_S_MAX, trace=True), log.with_decisions(wanted.found)

    def _failure(self, wanted: Exploration, time_max_s: float, trace: bool = False) -> str:
        """Run schedules until one is wrong, and return its error; empty if none is."""
        self.digest = None
        accepts = False
        while True:
            wanted.accepts = int(accepts)
            try:
                result = self._worker._explore(
                    self._callables[self._program],
                    self._arguments,
                    wanted,
                    timeout_s=time_max_s + _CALL_S_MAX,
                    trace=trace,
                    **self._config,
                )
            except ChiphostError as problem:
                if problem.name in _NOT_ITS_FAULT:
                    raise
                return str(problem)
            self.digest = digest_of([result.trace]) if result.trace is not None else None
            if wanted.outcome != _DIFFERS and (self._begun or wanted.goes_on):
                return ""
            if error := self._check():
                return error
            if wanted.outcome != _DIFFERS or wanted.strategy == REPLAY:
                return ""
            accepts, wanted.goes_on = True, 1  # other bytes, but right

    def _check(self) -> str:
        """Check what the last schedule left in the arrays, after the programs that come next."""
        after = copy_args(self._values)
        self._run_programs(range(self._program + 1, len(self._callables)), after)
        try:
            self._scene.check(self._case, self._before, after, self._expected)
        except SceneError as problem:
            return str(problem)
        return ""

    @property
    def _arguments(self) -> list[Any]:
        return self._scene.arguments_of(self._scene.programs[self._program], self._values)

    def _run_programs(self, numbers: range, values: dict[str, Any]) -> None:
        for number in numbers:
            args = self._scene.arguments_of(self._scene.programs[number], values)
            self._worker.run(self._callables[number], args, **self._config)

# SPDX-License-Identifier: Apache-2.0
"""One scene being run: its cases on workers, and their results."""

from __future__ import annotations

import math
import os
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from .._core import CallConfig
from .._runtimes import runtimes
from .._runtimes.strategy import default_isolation
from .._scene.program import Program
from ..callable import ChipCallable
from ..errors import ChiphostError, DeadlineError, PlatformError
from ..run_result import RunResult
from ..scene import Scene, copy_args
from ..worker import ChipWorker
from . import events
from .case_checks import CaseChecks
from .catalog import Entry
from .order_digest import digest_of
from .programs import Programs
from .results import NOT_STARTED, CaseResult, SceneResult, Settings
from .seeds import Seed

Callables = Sequence[ChipCallable]  # for a scene's programs, in their order


class SceneRun:
    """A scene on its way. If it has to be given up, this object knows how far it came."""

    def __init__(self, entry: Entry, cases: Sequence[str] | None, settings: Settings) -> None:
        """Nothing happens before `execute`. `cases`: those of them that the scene has; None for the usual ones."""
        self.name: Final = entry.name
        self._entry = entry
        self._settings = settings
        self._cases = _cases_of(entry, cases, settings)
        without = entry.scene is not None and not self._cases
        why = f"has no case {' or '.join(map(repr, cases or ()))}" if without else ""
        self.skipped: Final = entry.not_for(settings.platform, settings.library) or why
        self._done: list[CaseResult] = []
        self._in_case = False
        self._error = ""  # the error of the scene as a whole
        self._clock = _Clock()

    @property
    def loading_was_stopped(self) -> bool:
        """True if the deadline came while the scene's description was read."""
        return isinstance(self._entry.error, DeadlineError)

    @property
    def cases_done(self) -> int:
        """The number of cases that have ended."""
        return len(self._done)

    def execute(self, programs: Programs, workers: Workers) -> None:
        """Run the cases. Errors are kept; only KeyboardInterrupt and DeadlineOver come out."""
        self._clock.start()
        events.tell("running", self.name, None)
        compiled = programs[self.name]
        try:
            if isinstance(compiled, Exception):
                raise compiled
            self._run_cases(compiled, workers)
            workers.reset(self._entry.runtime)
        except Exception as error:
            self._error = describe(error)
        self._clock.stop()
        events.tell("scene", self.result())

    def result(self, given_up: str = "") -> SceneResult:
        """The result so far; `given_up` is the reason for giving the scene up, and empty if it was not."""
        done = list(self._done)
        if self.skipped:
            done = [_skipped(case, self.skipped) for case in self._cases]
        left = self._cases[len(done) :]
        error = given_up or self._error or ("the scene did not come to its end" if left else "")
        if self.skipped:
            error = ""
        failures = [f"case {case.case!r}: {case.error}" for case in done if case.error]
        skipped = self.skipped or None
        if done and not left and all(case.skipped for case in done):
            skipped = "; ".join(dict.fromkeys(case.skipped for case in done if case.skipped))
        if error:
            failures.append(f"case {left[0]!r}: {error}" if self._in_case and left else error)
        return SceneResult(
            name=self.name,
            platform=self._settings.platform,
            runtime=self._entry.runtime,
            passed=not failures and skipped is None,
            seconds=self._clock.seconds,
            error="\n".join(failures) or None,
            seed=self._settings.wanted_seeds.first,
            cases=(*done, *(CaseResult(name, False, 0.0, error, None, 0) for name in left)),
            skipped=None if failures else skipped,
            has_all_cases=self._entry.scene is None or len(self._cases) == len(self._entry.scene.cases),
        )

    def _run_cases(self, compiled: Callables, workers: Workers) -> None:
        for case in self._cases:
            if self._settings.deadline.over:
                self._error = f"{NOT_STARTED}: {self._settings.deadline}"
                return
            self._in_case = True
            events.tell("running", self.name, case)
            self._done.append(self._run_case_until_it_passes(case, compiled, workers))
            events.tell("case", self.name, self._done[-1])
            self._in_case = False

    def _run_case_until_it_passes(self, case: str, compiled: Callables, workers: Workers) -> CaseResult:
        result = self._run_case(case, compiled, workers)
        errors: list[str] = []
        while result.error and len(errors) < self._settings.retries and not self._settings.deadline.over:
            errors.append(result.error)
            workers.discard(self._entry.runtime)  # a failed case may have left something behind
            again = self._run_case(case, compiled, workers)
            result = replace(again, seconds=result.seconds + again.seconds, earlier_errors=tuple(errors))
        return result

    def _run_case(self, case: str, compiled: Callables, workers: Workers) -> CaseResult:
        scene = self._entry.scene
        assert scene is not None, "a scene without a description has no cases"
        clock, error, skipped = _Clock(), None, None
        clock.start()
        tally = Tally()
        try:
            if why := scene.not_for(self._settings.platform, case):
                raise Skipped(why)
            with events.one_process():
                run_case(workers.ready(scene.runtime), scene, compiled, case, self._settings, tally)
        except Skipped as why_not:
            skipped = str(why_not)
        except (Exception, SystemExit) as problem:
            error = describe(problem)
            if isinstance(problem, DeadlineError) and self._settings.deadline.over:
                error = f"stopped: {self._settings.deadline}: {error}"
        clock.stop()
        if skipped:
            return _skipped(case, skipped)
        return tally.result(case, clock.seconds, error)


def _cases_of(entry: Entry, wanted: Sequence[str] | None, settings: Settings) -> list[str]:
    if entry.scene is None:
        return []
    if wanted is None:
        return list(entry.scene.cases if settings.all_cases else entry.scene.usual_cases)
    return [case for case in wanted if case in entry.scene.cases]


def _skipped(case: str, why: str) -> CaseResult:
    return CaseResult(case, False, 0.0, None, None, 0, skipped=why)


class Workers:
    """One worker for each runtime, made when it is needed. For one thread."""

    def __init__(self, settings: Settings, out_isolation: set[str] | None = None) -> None:
        """Make no worker yet. `out_isolation` gets isolations that differ from the default, and the reasons."""
        self._settings = settings
        self._out_isolation = out_isolation
        self._workers: dict[str, ChipWorker] = {}

    def __enter__(self) -> Workers:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Finalize all workers."""
        for worker in self._workers.values():
            worker.finalize()

    def ready(self, runtime: str) -> ChipWorker:
        """A worker with that runtime: the existing one, or another if that is poisoned."""
        worker = self._workers.get(runtime)
        if worker is None or worker.poisoned:
            worker = self._workers[runtime] = ChipWorker()
        if not worker.initialized:
            platform = self._settings.platform
            worker.init(
                runtimes.find(runtime, platform, self._settings.library), platform, isolation=self._settings.isolation
            )
            if self._out_isolation is not None and worker.isolation != default_isolation(platform):
                self._out_isolation.add(f"{worker.isolation} ({worker.isolation_reason})")
        return worker

    def discard(self, runtime: str) -> None:
        """Finalize the worker with that runtime; the next `ready` makes another."""
        if worker := self._workers.pop(runtime, None):
            worker.finalize()

    def reset(self, runtime: str) -> None:
        """Reset the worker with that runtime, so that one scene leaves nothing to the next."""
        worker = self._workers.pop(runtime, None)
        if worker is not None and not worker.poisoned:
            worker.reset()
            self._workers[runtime] = worker


class Skipped(Exception):
    """A case cannot be run here, and nobody is at fault; the text is the reason."""


@dataclass
class Tally:
    """The progress of a case: tasks in its graphs, rounds and seeds that were right, the order of the last round.

    `checks` has what checks found, once a run began. `stall_report` is that of a run that could not end.
    """

    tasks: int | None = None
    rounds: int = 0
    seeds: int = 0
    seed: Seed | None = None
    order_digest: str | None = None
    checks: CaseChecks | None = None
    stall_report: str | None = None

    def result(self, case: str, seconds: float, error: str | None) -> CaseResult:
        """The result of the case. A finding of a check is a failure."""
        checks = self.checks
        text = "\n".join(filter(None, (error, checks.text() if checks else ""))) or None
        return CaseResult(
            case,
            text is None,
            seconds,
            text,
            self.tasks,
            self.rounds,
            findings=tuple(checks.findings) if checks else (),
            not_checked=tuple(checks.gaps) if checks else (),
            unnecessary_edges=checks.unnecessary_edges if checks and checks.names else None,
            input_seed=None if self.seed is None else self.seed.input,
            order_seed=None if self.seed is None else self.seed.order,
            seeds=self.seeds,
            order_digest=self.order_digest,
            stall_report=self.stall_report,
        )


def run_case(
    worker: ChipWorker, scene: Scene, compiled: Callables, case: str, settings: Settings, out_tally: Tally
) -> None:
    """Run a case on a worker, all its programs in each round with fresh outputs, and compare every round's results.

    `out_tally` gets what checks find, which is no error.

    Several seeds are tried one after the other, each with as many rounds; the first that fails or has findings is the
    last.

    Raises:
        Skipped: the chip has less than the case needs, or the platform has no such thing.
        SceneError: GOLDEN_MISMATCH; or the scene's inputs or golden function failed.
        ChiphostError: what `ChipWorker.run` raises.
    """
    if why := scene.shortage(case, settings.platform, worker.chip):
        raise Skipped(why)
    seeds, attempt = settings.wanted_seeds, None
    checks = CaseChecks(scene, case, settings)
    for seed in seeds:
        if seeds.count > 1:
            events.tell("seed", scene.name, case, seed)
        out_tally.seed, out_tally.order_digest = seed, None
        if attempt is None or attempt.seed.input != seed.input:
            attempt = _Attempt(worker, scene, compiled, case, settings, seed, checks)
        attempt.seed = checks.seed = seed
        out_tally.checks = checks
        for _ in range(settings.rounds or scene.rounds):
            attempt.run_round(out_tally)
        if checks.findings:
            return
        out_tally.seeds += 1


class _Attempt:
    """A case with its inputs of one seed. The order may change from round to round.

    Attributes:
        seed: the seeds of the next round; that of the inputs stays.
    """

    def __init__(
        self,
        worker: ChipWorker,
        scene: Scene,
        compiled: Callables,
        case: str,
        settings: Settings,
        seed: Seed,
        checks: CaseChecks,
    ) -> None:
        """Make the inputs. `checks` get what is found."""
        self.seed = seed
        self._worker, self._scene, self._compiled, self._case = worker, scene, compiled, case
        self._settings, self._checks = settings, checks
        self._before = scene.make_args(case, seed.input)
        self._expected: dict[str, Any] | None = None  # until a run succeeds: it may be expensive
        arrays = sum(value.nbytes for value in self._before.values() if isinstance(value, np.ndarray))
        chip = worker.chip
        if chip is not None and arrays > chip.memory_bytes:
            raise Skipped(f"its arrays have {arrays} bytes, {settings.platform} has memory of {chip.memory_bytes}")
        self._traces = settings.order_digests and settings.sim_threads == 1 and not _is_real_chip(settings)
        self._config: dict[str, Any] = {
            **scene.config_of(case, chip),
            "sim_threads": settings.sim_threads,
            "trace": self._traces,
        }

    def run_round(self, out_tally: Tally) -> None:
        """Run all programs, and check what comes out."""
        after = copy_args(self._before)
        results = [
            self._run(callable_, program, after, out_tally)
            for program, callable_ in zip(self._scene.programs, self._compiled, strict=True)
        ]
        out_tally.tasks = sum(result.task_count for result in results)
        if self._traces:
            out_tally.order_digest = digest_of(result.trace or b"" for result in results)
        if self._expected is None:
            self._expected = self._scene.expected(self._case, self._before)
        self._scene.check(self._case, self._before, after, self._expected)
        out_tally.rounds += 1

    def _run(self, callable_: ChipCallable, program: Program, values: dict[str, Any], out_tally: Tally) -> RunResult:
        args = self._scene.arguments_of(program, values)
        config = {**self._config, "timeout_s": _timeout_s(self._settings), "seed": self.seed.order}
        try:
            result = self._worker.run(callable_, args, check=self._checks.names, **config)
        except PlatformError as error:
            # The platform itself says so about things it cannot do at all, such as kernels that wait for each other.
            if error.name == "UNIMPLEMENTED":
                platform = self._settings.platform
                raise Skipped(f"{platform} does not have it: {error.where}: {error.message}") from error
            raise
        except ChiphostError as error:
            self._checks.note_error(error, values)
            out_tally.stall_report = error.stall_report or None
            raise
        self._checks.note_result(result, values)
        return result


def _is_real_chip(settings: Settings) -> bool:
    return runtimes.is_real_chip(settings.platform, settings.library)


def _timeout_s(settings: Settings) -> float:
    """The timeout of the next run; 0 means none."""
    timeout_s = settings.timeout_s
    if timeout_s is None:
        timeout_s = CallConfig().timeout_s if settings.deadline.seconds is None else 0.0
    shortest = min(timeout_s or math.inf, max(settings.deadline.left_s, 0.001))
    return 0.0 if math.isinf(shortest) else shortest


class _Clock:
    """Seconds between start and stop, or until now."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._stopped: float | None = None

    def start(self) -> None:
        self._started = time.monotonic()

    def stop(self) -> None:
        self._stopped = time.monotonic()

    @property
    def seconds(self) -> float:
        if self._started is None:
            return 0.0
        return (time.monotonic() if self._stopped is None else self._stopped) - self._started


def describe(error: BaseException) -> str:
    """An error as text, with the task, core and kernel to blame. With CHIPHOST_DEBUG=1 the traceback is added."""
    if isinstance(error, ChiphostError):
        blamed = {"task": error.task, "core": error.core, "func_id": error.func_id}
        text = "\n  ".join(
            [str(error), ", ".join(f"{what} {n}" for what, n in blamed.items() if n is not None)]
        ).rstrip()
    else:
        text = f"{type(error).__name__}: {error}"
    if os.environ.get("CHIPHOST_DEBUG", "0") not in ("", "0"):
        text += "\n" + "".join(traceback.format_exception(error)).rstrip()
    return text

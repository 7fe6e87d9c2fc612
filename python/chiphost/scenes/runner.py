# SPDX-License-Identifier: Apache-2.0
"""Running scenes: compiled together first, then one after the other or several at a time.

Scenes wait for each other's files only while there is time. After half of it, those run that are ready.

Whatever goes wrong in a scene becomes that scene's error, and the others go on. An error is raised only if it makes all
of them impossible, such as a missing compiler.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Final

from .._core import CallConfig
from .._system.cpus import usable_cpus
from .._system.deadline import Deadline, DeadlineOver
from . import events
from .catalog import Entry
from .programs import ScenePrograms
from .results import NOT_STARTED, SceneResult, Settings, Watcher
from .run import SceneRun, Workers

THREAD_NAME: Final = "chiphost-scene"  # the name of threads that run scenes in parallel mode
_GRACE_S: Final = 1.0  # the time to stop after a request; a worker needs half of it


class Runner:
    """Runs scenes once.

    Attributes:
        interrupted: whether Ctrl-C ended that early.
        unfinished: the scenes that Ctrl-C or the deadline kept from their end, with the number of cases that had ended.
        under_way: what was being done at that moment: scenes, with the file if that was being compiled.
        isolation: how runtimes were isolated, where that is not the default, and why.
    """

    def __init__(self, settings: Settings, watcher: Watcher | None = None) -> None:
        """Prepare; nothing happens before `run`."""
        self.interrupted = False
        self.unfinished: Final[dict[str, int]] = {}
        self.under_way: Final[list[str]] = []
        self.isolation: Final[set[str]] = set()
        self._settings: Final = settings
        self._watcher: Final = watcher or Watcher()
        self._results: Final[dict[str, SceneResult]] = {}
        self._running: Final[dict[str, SceneRun]] = {}

    def run(
        self, entries: Sequence[Entry], *, cases: Sequence[str] | None = None, parallel: bool = False
    ) -> list[SceneResult]:
        """Run all of these scenes: of each the cases named that it has, or its usual ones, or all (see `Settings`).

        A scene that has none of the cases named is skipped.

        If scenes run one after the other they share a worker for each runtime, which is reset in between. In parallel
        each has a worker and a thread, and as many run at once as there are CPUs. Threads that do not end after the
        deadline or Ctrl-C are left behind; they are daemons named `THREAD_NAME`.

        Returns the results in the order of `entries`: one for each, also when the deadline or Ctrl-C came first.

        Raises:
            ConfigError: a default that the environment gives is no number.
            CompileError: COMPILER_MISSING.
            CacheError: the compile cache cannot be used.
        """
        CallConfig()  # an error in the environment would be the error of every scene
        runs = [SceneRun(entry, cases, self._settings) for entry in entries]
        events.tell("planned", [run.result(f"{NOT_STARTED}: the program ended early") for run in runs])
        deadline, why = self._settings.deadline, str(self._settings.deadline)
        waiting = [run for run in runs if not run.skipped]
        wanted = {run.name for run in waiting}
        programs = ScenePrograms(
            [entry for entry in entries if entry.name in wanted],
            self._settings.platform,
            deadline,
            self._watcher.compiled,
            checked=self._settings.check != 0,
        )
        for run in runs:
            if run.skipped:
                self._end(run)
        try:
            with programs:
                with deadline.enforced(_GRACE_S):
                    programs.start()
                    programs.wait_for_all()
                    if not parallel:
                        self._run_in_turn(waiting, programs)
                if parallel:
                    self._run_in_threads(waiting, programs)
        except DeadlineOver:
            pass
        except KeyboardInterrupt:
            self.interrupted, why = True, "interrupted"
        for run in runs:
            if run.name not in self._results:
                compiling = programs.stopped.get(run.name)
                was_running = compiling or run.name in self._running or run.loading_was_stopped
                during = f" while compiling {compiling}" if compiling else ""
                self.unfinished[run.name] = run.cases_done
                if was_running:
                    self.under_way.append(f"{run.name}{during}")
                self._end(run, f"{'stopped' if was_running else NOT_STARTED}: {why}{during}")
        return [self._results[run.name] for run in runs]

    def _run_in_turn(self, runs: Sequence[SceneRun], programs: ScenePrograms) -> None:
        waiting = list(runs)
        with Workers(self._settings, self.isolation) as workers:
            while waiting and not self._settings.deadline.over:
                run = next((run for run in waiting if run.name in programs.done), None)
                if run is None:
                    programs.wait()
                    continue
                waiting.remove(run)
                self._start(run)
                run.execute(programs.done, workers)
                self._end(run)

    def _run_in_threads(self, runs: Sequence[SceneRun], programs: ScenePrograms) -> None:
        waiting, events, results = list(runs), _Events(), len(self._results) + len(runs)
        ready: queue.SimpleQueue[SceneRun | None] = queue.SimpleQueue()
        enough = threading.Event()

        def work() -> None:
            while (run := ready.get()) and not enough.is_set() and not self._settings.deadline.over:
                events.put((self._start, run))
                try:
                    with Workers(self._settings, self.isolation) as workers:
                        run.execute(programs.done, workers)
                finally:
                    events.put((self._end, run))

        def feed() -> None:
            if not waiting:
                return
            programs.wait(0)
            for run in [run for run in waiting if run.name in programs.done]:
                waiting.remove(run)
                ready.put(run)
            if not waiting:
                end()

        def end() -> None:
            for _ in threads:
                ready.put(None)

        threads = [
            threading.Thread(target=work, name=f"{THREAD_NAME}-{index}", daemon=True)
            for index in range(min(usable_cpus(), len(runs)))
        ]
        for thread in threads:
            thread.start()
        try:
            self._follow(events, threads, results, self._settings.deadline, feed)
        except KeyboardInterrupt:
            enough.set()
            end()
            self._follow(events, threads, results, Deadline(0))  # runs that are about to end may do so
            raise
        finally:
            end()

    def _follow(
        self,
        events: _Events,
        threads: Sequence[threading.Thread],
        results: int,
        deadline: Deadline,
        feed: Callable[[], None] = lambda: None,
    ) -> None:
        """Act on events until all results are there, all threads have ended, or the deadline is over by a little."""
        while any(thread.is_alive() for thread in threads) and deadline.left_s > -_GRACE_S:
            feed()
            _act_on(events, 0.05)
            if len(self._results) == results:
                for thread in threads:
                    thread.join(_GRACE_S)
        _act_on(events, 0)

    def _start(self, run: SceneRun) -> None:
        self._running[run.name] = run
        self._watcher.started(run.name)

    def _end(self, run: SceneRun, problem: str = "") -> None:
        result = self._results[run.name] = run.result(problem)
        self._running.pop(run.name, None)
        tell = self._watcher.interrupted if self.interrupted and run.name in self.unfinished else self._watcher.ended
        tell(result)


_Events = queue.SimpleQueue[tuple[Callable[[SceneRun], None], SceneRun]]


def _act_on(events: _Events, timeout_s: float) -> None:
    """Handle all events that are there; wait at most `timeout_s` for the first."""
    try:
        while True:
            handle, run = events.get(timeout=timeout_s) if timeout_s else events.get_nowait()
            handle(run)
            timeout_s = 0
    except queue.Empty:
        pass

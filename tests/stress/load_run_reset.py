# SPDX-License-Identifier: Apache-2.0
"""Load, run, reset, again and again, in one process; then say whether it holds more than before.

    python tests/stress/load_run_reset.py --steps 100000 --variants 200 --workers 64 --seed 1

A step loads one of three runtimes on one of two chips in one of three ways, runs a graph, checks every element of its
result, and resets. All along, a runtime is built again now and then, signals arrive, and processes are forked. Every
fifth step is made by many workers at once. Exits with 0 if all results were right and nothing has grown.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from heaps import allocated_bytes
from variants import SIM_THREADS_MAX, Variant, make_variants

import chiphost as ch
from chiphost._bench.resources import Resources
from chiphost._runtimes.strategy import default_isolation
from chiphost.capacity import capacity

STRATEGIES: Final = ("namespace", "copy", "process")
LOST_PER_STEP_MAX: Final = 8  # bytes; malloc hands out no less than 24
LOST_NOISE: Final = 500_000  # bytes that come and go
MAPS_NOISE: Final = 0.01  # of all, and some: heaps grow in pieces; one lost in 1,000 steps is more in 100,000
MAPS_NOISE_MIN: Final = 16
WARM_UP_FRACTION: Final = 0.25  # of the steps, until everything has found its place
ROUND_STEPS: Final = 500  # a fifth of them by all workers at once
ROUND_FORKS: Final = 2
THREADS_OF_ONE: Final = 2  # the keeper of the place, and that of a worker which has not run
SAMPLES: Final = 20  # at most, if there are so many rounds: each waits until it is quiet
PROGRESS_SAMPLES: Final = 2  # between two lines of progress
QUIET_S_MAX: Final = 60  # until the thread that ends and prepares child processes has ended
SIGNAL_INTERVAL_S: Final = 0.005
CHILD_DEADLINE_S: Final = 60  # of a forked process


@dataclass(frozen=True)
class Sample:
    """The resources that the process held after a number of steps."""

    steps: int
    threads: int
    files: int
    maps: int
    resident_bytes: int
    allocated_bytes: int

    @classmethod
    def now(cls, steps: int) -> Sample | None:
        """Count; None on a system that does not say."""
        opened = capacity()
        allocated = allocated_bytes(opened.opened + (opened.others or 0))
        held = Resources.now()
        if allocated is None or held is None:
            return None
        return cls(steps, held.threads, held.files, held.maps, held.memory_bytes, allocated)


class Stress:
    """One run of the program."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._options = options
        self._rng = np.random.default_rng(options.seed)
        self._variants = make_variants(folder)
        self._workers = [ch.ChipWorker() for _ in range(options.workers)]
        self._strategies = [each for each in STRATEGIES if each != "namespace" or default_isolation() == "namespace"]
        self._builds = 0
        self.counts: Counter[str] = Counter()

    def run(self) -> list[Sample]:
        """Do all steps; return the samples after the warm-up and from time to time since."""
        held: list[Sample] = []
        steps, warm = self._options.steps, self._options.steps * WARM_UP_FRACTION
        signal.signal(signal.SIGUSR1, self._count_signal)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins without
        pool = ThreadPoolExecutor(len(self._workers))
        with pool, signals_arrive():
            start_all_threads(pool, len(self._workers))
            self._fill()
            due = warm
            while self.counts["steps"] < steps:
                self._round(pool, min(ROUND_STEPS, steps - self.counts["steps"]))
                if self.counts["steps"] < due:
                    continue
                due = self.counts["steps"] + steps / SAMPLES
                wait_until_quiet()
                if now := Sample.now(self.counts["steps"]):
                    held.append(now)
                    if len(held) % PROGRESS_SAMPLES == 0:
                        print(now, flush=True)
        self._check_threads()
        for worker in self._workers:
            worker.finalize()
        return held

    def _check_threads(self) -> None:
        """All threads were given back: a worker finds all of its runtime's place free, but for its own and the keeper.

        The number of threads alone says nothing: there are as many as workers were ever at once in the place, times
        theirs.
        """
        worker = self._workers[0]
        for strategy in self._strategies:
            for variant in self._variants:
                worker.init(variant.files, variant.platform, isolation=strategy)
                counts = worker.counts()
                in_use = counts["threads"] - counts["threads_free"]
                if in_use != THREADS_OF_ONE:
                    raise AssertionError(f"{strategy} {variant.runtime}: {in_use} threads in use by one worker")
                worker.reset()

    def _fill(self) -> None:
        """Let all workers be in the same place at once: from then on there are as many threads as there ever are."""
        for strategy in self._strategies:
            for variant in self._variants:
                for worker in self._workers:
                    worker.init(variant.files, variant.platform, isolation=strategy)
                    variant.run(worker, self._rng, sim_threads=SIM_THREADS_MAX)
                for worker in self._workers:
                    worker.reset()
                if strategy != "namespace":
                    break  # all copies share their threads, and few child processes are kept

    def _round(self, pool: ThreadPoolExecutor, steps: int) -> None:
        at_once = steps // 5
        forks = {int(each) for each in self._rng.integers(0, max(steps - at_once, 1), ROUND_FORKS)}
        for number in range(steps - at_once):
            self._rebuild_when_due()
            worker = self._workers[int(self._rng.integers(len(self._workers)))]
            self._step(worker, self._rng, fork=number in forks)
        self._interrupt_a_run()
        shares = np.full(len(self._workers), at_once // len(self._workers))
        shares[: at_once % len(self._workers)] += 1
        seeds = self._rng.integers(0, 2**31, len(self._workers))
        futures = [pool.submit(self._steps_of, *each) for each in zip(self._workers, shares, seeds, strict=True)]
        self._fork()  # while the others run
        for future in futures:
            future.result()
        self.counts["steps"] += at_once

    def _steps_of(self, worker: ch.ChipWorker, steps: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(steps):
            self._load_run_reset(worker, self._pick(rng), self._pick_strategy(rng), rng)

    def _step(self, worker: ch.ChipWorker, rng: np.random.Generator, *, fork: bool) -> None:
        strategy = self._pick_strategy(rng)
        self._load_run_reset(worker, self._pick(rng), strategy, rng, fork=fork)
        self.counts["steps"] += 1
        self.counts[strategy] += 1

    def _load_run_reset(
        self, worker: ch.ChipWorker, variant: Variant, strategy: str, rng: np.random.Generator, *, fork: bool = False
    ) -> None:
        worker.init(variant.files, variant.platform, isolation=strategy)
        variant.run(worker, rng)
        if fork:
            self._fork((worker, variant))
            variant.run(worker, rng)
        worker.reset()

    def _pick(self, rng: np.random.Generator) -> Variant:
        return self._variants[int(rng.integers(len(self._variants)))]

    def _pick_strategy(self, rng: np.random.Generator) -> str:
        return self._strategies[int(rng.integers(len(self._strategies)))]

    def _rebuild_when_due(self) -> None:
        if self._builds < self.counts["steps"] * self._options.variants / self._options.steps:
            self._builds += 1
            self._pick(self._rng).rebuild(self._builds)
            self.counts["rebuilt"] += 1

    def _fork(self, ready: tuple[ch.ChipWorker, Variant] | None = None) -> None:
        """Fork; the child finds the worker unusable and makes one of its own."""
        seed = int(self._rng.integers(2**31))
        child = os.fork()
        if child == 0:
            signal.alarm(CHILD_DEADLINE_S)
            status = 1
            with contextlib.suppress(BaseException):  # the status tells, and no code of the parent may run here
                self._run_in_child(ready, np.random.default_rng(seed))
                status = 0
            os._exit(status)
        _, ended = os.waitpid(child, 0)
        if ended != 0:
            raise AssertionError(f"a forked process ended with status {ended}")
        self.counts["forks"] += 1

    def _run_in_child(self, inherited: tuple[ch.ChipWorker, Variant] | None, rng: np.random.Generator) -> None:
        if inherited:
            worker, variant = inherited
            try:
                variant.run(worker, rng)
            except ch.ChiphostError as error:
                assert error.name == "WRONG_PROCESS", error
            else:
                raise AssertionError("a worker ran in another process")
        variant = self._pick(rng)
        with ch.ChipWorker(variant.files, variant.platform, isolation="copy") as own:
            variant.run(own, rng)

    def _interrupt_a_run(self) -> None:
        """Ctrl-C at any moment of runs and between them: the worker works afterwards."""
        variant, worker = self._pick(self._rng), self._workers[0]
        worker.init(variant.files, variant.platform, isolation=self._pick_strategy(self._rng))
        process = os.getpid()
        timer = threading.Timer(float(self._rng.uniform(0, 0.003)), os.kill, (process, signal.SIGINT))
        with contextlib.suppress(KeyboardInterrupt):
            timer.start()
            while True:
                variant.run(worker, self._rng)
        timer.join()
        variant.run(worker, self._rng)
        worker.reset()
        self.counts["interrupts"] += 1

    def _count_signal(self, *_: object) -> None:
        self.counts["signals"] += 1


@contextlib.contextmanager
def signals_arrive() -> Iterator[None]:
    """SIGUSR1 for this process, all the time."""
    over = threading.Event()

    def send() -> None:
        while not over.wait(SIGNAL_INTERVAL_S):
            os.kill(os.getpid(), signal.SIGUSR1)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()


def wait_until_quiet() -> None:
    """Wait: a pool's thread ends child processes that were used, and makes all spares that it will."""
    deadline = time.monotonic() + QUIET_S_MAX
    while any(name == "chiphost-pool" for name in thread_names()):
        if time.monotonic() > deadline:
            raise AssertionError(f"the pool of child processes is still busy after {QUIET_S_MAX} s")
        time.sleep(0.02)


def thread_names() -> Iterator[str]:
    """The names of all threads of this process; none on a system that does not list them."""
    for task in Path("/proc/self/task").glob("*/comm"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            yield task.read_text().strip()


def start_all_threads(pool: ThreadPoolExecutor, count: int) -> None:
    """Make all threads of a pool: it makes one when none is idle, which would look like growth."""
    barrier = threading.Barrier(count)
    for future in [pool.submit(barrier.wait) for _ in range(count)]:
        future.result()


def grown(held: list[Sample]) -> list[str]:
    """The resources that have grown at the end, in words. The first half of the samples is compared with the second.

    Their smallest values: stacks, arenas and child processes come and go with what happens to run at once.
    """
    half = max(len(held) // 2, 1)
    first, last = held[:half], held[-half:]
    steps = last[0].steps - first[0].steps
    found = []
    for noun in ("threads", "files", "maps", "allocated_bytes", "resident_bytes"):
        before, after = (min(getattr(each, noun) for each in part) for part in (first, last))
        words = f"{noun}: {before:,} in the first half, {after:,} in the second"
        allowed = {
            "maps": MAPS_NOISE_MIN + MAPS_NOISE * before,
            "allocated_bytes": LOST_NOISE + LOST_PER_STEP_MAX * steps,
        }.get(noun, 0)
        if noun.endswith("bytes"):
            words += f", {(after - before) * 1000 / max(steps, 1):+,.0f} per 1,000 steps"
        print(f"  {words}")
        # Resident memory includes memory that is free between used blocks of a heap: it tells something, but proves
        # nothing.
        if noun != "resident_bytes" and after - before > allowed:
            found.append(words)
    return found


def use_one_arena() -> None:
    """Start anew where malloc has one arena: otherwise chance decides which threads share one, and its size."""
    if "MALLOC_ARENA_MAX" not in os.environ:
        os.environ["MALLOC_ARENA_MAX"] = "1"
        os.execv(sys.executable, sys.orig_argv)


def main() -> int:
    """Run it and print the verdict."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--variants", type=int, default=200, help="how often a runtime is built again")
    parser.add_argument("--workers", type=int, default=64, help="how many run at once")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    options = parser.parse_args()
    use_one_arena()
    print(f"seed {options.seed}: repeat with --seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="chiphost-stress-") as folder:
        stress = Stress(Path(folder), options)
        started = time.monotonic()
        held = stress.run()
        seconds = time.monotonic() - started
    numbers = ", ".join(f"{count:,} {what}" for what, count in stress.counts.items())
    print(f"{numbers}; {stress.counts['steps'] / seconds:,.0f} steps/s in {seconds:.0f} s; every result was right")
    if not held:
        print("growth: not known; this system does not say what a process holds")
        return 0
    problems = grown(held)
    print(f"PASS: nothing grew, in {len(held)} samples" if not problems else "FAIL: grown: " + "; ".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

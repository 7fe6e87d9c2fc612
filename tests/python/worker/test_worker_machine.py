# SPDX-License-Identifier: Apache-2.0
"""Workers as a state machine: any sequence of init, run, reset, finalize, rebuilt files and failures."""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from callables import PLATFORMS, RUNTIME, chain, misbehave, run_graph
from device_faults import run_fault
from device_programs import good_program, run_program
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import chiphost as ch
from chiphost._runtimes import runtimes

WORKERS_MAX = 4
RUNTIMES = (RUNTIME, "aicpu_build_graph", "tensormap_and_ringbuffer")


def entries(folder: str) -> int:
    return len(list(Path(folder).iterdir()))


def run_good(worker: ch.ChipWorker, length: int, seed: int, threads: int) -> None:
    if worker.runtime == RUNTIME:
        run_graph(worker, *chain(length), seed=seed, sim_threads=threads)
    else:
        run_program(worker, good_program(str(worker.runtime)), seed=seed, sim_threads=threads)


def temporary_files() -> set[str]:
    """Files that chiphost may have left in the folder for temporary files; the folders of tests do not count."""
    return {p.name for p in Path(tempfile.gettempdir()).glob("chiphost*") if p.is_file()}


def mapped_objects() -> int:
    """Shared libraries of chiphost and private copies that are mapped now, each counted once."""
    names = set()
    for line in Path("/proc/self/maps").read_text().splitlines():
        name = line.split(maxsplit=5)[5] if len(line.split(maxsplit=5)) == 6 else ""
        if name.startswith("/memfd:") or "chiphost" in name:
            names.add((name, line.split()[4]))  # by inode: copies share their name
    return len(names)


def thread_name(task: Path) -> str:
    try:
        return (task / "comm").read_text().strip()
    except OSError:  # it has ended meanwhile: another test's
        return ""


class WorkerMachine(RuleBasedStateMachine):
    """The model of a worker is one word: "new", a platform, or "final". Runtimes come from all there are."""

    folder: Path

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chiphost_machine_"))
        self.rebuilt: dict[str, ch.RuntimeFiles] = {}
        self.workers: list[ch.ChipWorker] = []
        self.states: list[str] = []
        for platform in PLATFORMS:  # before rebuilt files take the last namespace
            ch.ChipWorker(RUNTIME, platform, isolation="namespace").finalize()
        self.files = entries("/proc/self/fd")
        self.temporary = temporary_files()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            for worker in self.workers:
                worker.finalize()
            shutil.rmtree(self.folder)
            assert entries("/proc/self/fd") == self.files

    indices = st.integers(0, WORKERS_MAX - 1)

    def pick(self, index: int) -> tuple[int, ch.ChipWorker, str]:
        index %= len(self.workers)
        return index, self.workers[index], self.states[index]

    @precondition(lambda self: len(self.workers) < WORKERS_MAX)
    @rule()
    def make(self) -> None:
        self.workers.append(ch.ChipWorker())
        self.states.append("new")

    @precondition(lambda self: self.workers)
    @rule(
        index=indices,
        runtime=st.sampled_from(RUNTIMES),
        platform=st.sampled_from(PLATFORMS),
        isolation=st.sampled_from(["auto", "copy"]),  # six runtimes and the rebuilt ones may need all namespaces
    )
    def init(self, index: int, runtime: str, platform: str, isolation: str) -> None:
        self.init_with(index, runtime, platform, isolation)
        _, worker, state = self.pick(index)
        assert state not in PLATFORMS or worker.runtime in RUNTIMES

    @precondition(lambda self: self.workers and self.rebuilt)
    @rule(index=indices, data=st.data())
    def init_rebuilt(self, index: int, data: st.DataObject) -> None:
        platform = data.draw(st.sampled_from(sorted(self.rebuilt)))
        # "auto": rebuilt files that are in use take a namespace each, and there are few.
        self.init_with(index, self.rebuilt[platform], platform, "auto")

    def init_with(self, index: int, runtime: str | ch.RuntimeFiles, platform: str, isolation: str) -> None:
        index, worker, state = self.pick(index)
        if state == "new":
            worker.init(runtime, platform, isolation=isolation)
            self.states[index] = platform
            assert worker.isolation == isolation or isolation == "auto"
        else:
            with pytest.raises(ch.StateError) as caught:
                worker.init(runtime, platform, isolation=isolation)
            assert caught.value.name == ("FINALIZED" if state == "final" else "ALREADY_INITIALIZED")

    @rule(platform=st.sampled_from(PLATFORMS))
    def rebuild(self, platform: str) -> None:
        """Write the host program again: same path, another file."""
        good = runtimes.find(RUNTIME, platform)
        path = self.folder / f"{platform}.so"
        shutil.copyfile(good.host, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)
        self.rebuilt[platform] = ch.RuntimeFiles(path, good.aicpu, good.aicore)

    @precondition(lambda self: self.workers)
    @rule(index=indices, length=st.integers(0, 40), seed=st.integers(0, 5), threads=st.integers(1, 2))
    def run_graph(self, index: int, length: int, seed: int, threads: int) -> None:
        _, worker, state = self.pick(index)
        if state in PLATFORMS:
            run_good(worker, length, seed, threads)
        else:
            with pytest.raises(ch.StateError) as caught:
                worker.run(misbehave(), [np.zeros(4, np.int32), 0])
            assert caught.value.name == ("FINALIZED" if state == "final" else "NOT_INITIALIZED")

    @precondition(lambda self: sum(state in PLATFORMS for state in self.states) > 1)
    @rule(seed=st.integers(0, 5), threads=st.integers(1, 2))
    def run_all_at_once(self, seed: int, threads: int) -> None:
        ready = [worker for worker, state in zip(self.workers, self.states, strict=True) if state in PLATFORMS]
        with ThreadPoolExecutor(len(ready)) as pool:
            for done in [pool.submit(run_good, worker, 20, seed, threads) for worker in ready]:
                done.result()

    @precondition(lambda self: "new" in self.states)
    @rule(
        runtimes=st.lists(st.sampled_from(RUNTIMES), min_size=WORKERS_MAX, max_size=WORKERS_MAX),
        platforms=st.lists(st.sampled_from(PLATFORMS), min_size=WORKERS_MAX, max_size=WORKERS_MAX),
    )
    def init_all_at_once(self, runtimes: list[str], platforms: list[str]) -> None:
        new = [index for index, state in enumerate(self.states) if state == "new"]
        with ThreadPoolExecutor(len(new)) as pool:
            for done in [pool.submit(self.workers[i].init, runtimes[i], platforms[i]) for i in new]:
                done.result()
        for index in new:
            self.states[index] = platforms[index]

    @precondition(lambda self: any(state in PLATFORMS for state in self.states))
    @rule(seed=st.integers(0, 5))
    def run_and_reset_all_at_once(self, seed: int) -> None:
        def use_up(worker: ch.ChipWorker) -> None:
            run_good(worker, 10, seed, 1)
            worker.reset()

        ready = [index for index, state in enumerate(self.states) if state in PLATFORMS]
        with ThreadPoolExecutor(len(ready)) as pool:
            for done in [pool.submit(use_up, self.workers[index]) for index in ready]:
                done.result()
        for index in ready:
            self.states[index] = "new"

    @precondition(lambda self: any(state in PLATFORMS for state in self.states))
    @rule(
        index=indices,
        what=st.sampled_from([1, 2, 3, 7, 9]),
        fault=st.sampled_from(["throw", "fail", "a kernel throws", "no kernel"]),
    )
    def fail(self, index: int, what: int, fault: str) -> None:
        _, worker, state = self.pick(index)
        if state not in PLATFORMS:
            return
        with pytest.raises(ch.ChiphostError):
            if worker.runtime == RUNTIME:
                worker.run(misbehave(state), [np.zeros(4, np.int32), what])
            else:
                run_fault(worker, fault)

    @precondition(lambda self: self.workers)
    @rule(index=indices)
    def reset(self, index: int) -> None:
        index, worker, state = self.pick(index)
        if state == "final":
            with pytest.raises(ch.StateError):
                worker.reset()
        else:
            worker.reset()
            self.states[index] = "new"

    @precondition(lambda self: self.workers)
    @rule(index=indices)
    def finalize(self, index: int) -> None:
        index, worker, _ = self.pick(index)
        worker.finalize()
        self.states[index] = "final"

    @precondition(lambda self: "final" in self.states)
    @rule()
    def forget(self) -> None:
        index = self.states.index("final")
        del self.states[index], self.workers[index]

    @invariant()
    def says_what_it_is(self) -> None:
        for worker, state in zip(getattr(self, "workers", ()), getattr(self, "states", ()), strict=True):
            assert worker.initialized == (state in PLATFORMS)
            assert worker.platform == (state if state in PLATFORMS else None)
            assert not worker.poisoned

    @invariant()
    def holds_no_files(self) -> None:
        if hasattr(self, "files"):
            assert entries("/proc/self/fd") == self.files

    @invariant()
    def leaves_no_temporary_files(self) -> None:
        if hasattr(self, "temporary"):
            assert temporary_files() <= self.temporary

    @invariant()
    def maps_a_bounded_number_of_objects(self) -> None:
        """Runtimes stay for good, and so do libraries of workers, and those kept for the next user of a domain."""
        domains, kept_by_domain, used_by_worker = 13, 128, 40  # LibraryPool::idle_max
        runtimes = 13 * 4  # three programs and the anchor, as often as there are domains
        assert mapped_objects() <= runtimes + domains * kept_by_domain + used_by_worker * WORKERS_MAX

    @invariant()
    def makes_few_threads(self) -> None:
        """Each domain has a keeper, and as many others as workers ever used at the same time (with 2 sim_threads)."""
        threads = [p for p in Path("/proc/self/task").iterdir() if thread_name(p).startswith("chiphost-")]
        domains = 13
        assert len(threads) <= domains * (1 + 2 * WORKERS_MAX)


TestWorkerMachine = WorkerMachine.TestCase
TestWorkerMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, print_blob=True)

# SPDX-License-Identifier: Apache-2.0
"""Random programs for the runtimes whose orchestration runs on the AICPU, against a NumPy model (device_programs)."""

from __future__ import annotations

import gc
import random
import threading
from pathlib import Path

import numpy as np
import pytest
from callables import PLATFORMS, chain, run_graph
from checkout import SCENES
from device_programs import (
    AIC,
    AIV0,
    DEADLOCKS,
    MANUAL,
    NEW,
    PAIRS,
    TMR,
    WRITES,
    Arg,
    New,
    Program,
    Rings,
    from_,
    good_program,
    into,
    run_program,
    update,
)
from hypothesis import given, note, settings
from hypothesis import strategies as st
from random_programs import random_program, random_rings

import chiphost as ch
from chiphost.scene import Scene

CLUSTERS = {"a2a3sim": 24, "a5sim": 36}
AICPU_THREADS = {"a2a3sim": 4, "a5sim": 7}


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def worker(request: pytest.FixtureRequest):
    with ch.ChipWorker(*request.param) as made:
        yield made


def random_config(rng: random.Random, platform: str) -> dict[str, int]:
    return {
        "block_dim": rng.choice([1, 2, 3, CLUSTERS[platform]]),
        "aicpu_thread_num": rng.randrange(1, AICPU_THREADS[platform] + 1),
        "sim_threads": rng.choice([1, 1, 1, 2]),
        "seed": rng.choice([0, rng.randrange(2**64), rng.randrange(2**64)]),
    }


def check_program(worker: ch.ChipWorker, program: Program, config: dict[str, int]) -> None:
    """The program gives the model's result, or one of the deadlocks that the model thinks possible."""
    note(f"{config} {program.rings} words={program.words}")
    try:
        run_program(worker, program, **config)
    except ch.GraphError as error:
        note(str(error))
        assert error.code in program.possible, f"{error.name} although there is room"
        assert error.name == DEADLOCKS[error.code]
        run_program(worker, good_program(worker.runtime), **config)
    else:
        assert not program.certain, "more is kept than the rings hold"


# The beginning of a program stays the same when `steps` shrinks.
seeds = st.integers(0, 2**32 - 1)
lengths = st.integers(0, 60)


@settings(max_examples=250, deadline=None, print_blob=True)
@given(seed=seeds, steps=lengths)
def test_random_programs(worker, seed, steps):
    rng = random.Random(f"{seed} config")
    program = random_program(random.Random(seed), worker.runtime, Rings(), steps)
    for _ in range(2):
        check_program(worker, program, random_config(rng, worker.platform))


@settings(max_examples=250, deadline=None, print_blob=True)
@given(seed=seeds, steps=lengths)
def test_random_programs_in_small_rings(worker, seed, steps):
    rng = random.Random(f"{seed} config")
    program = random_program(random.Random(seed), worker.runtime, random_rings(rng), steps)
    check_program(worker, program, random_config(rng, worker.platform))


def hazard(kind: str, runtime: str, edges: bool) -> Program:
    """A long task and a short one that must come after it; with `edges` the program says so.

    The first one works on x with many blocks, so that the second overtakes it if nothing holds it.
    """
    program = Program(runtime, name_edges=False)
    first_x = 0 if edges else program.manual_dep(0)
    if runtime != TMR:
        first_x = 0
    before = [len(program.tasks)] if edges and runtime != TMR else []
    slow = {"blocks": 40, "cores": AIV0, "constant": 11}
    if kind == "read after write":
        program.submit([from_(2), update(first_x)], **slow)
        program.submit([from_(0), into(1)], cores=AIC, after=before)
    elif kind == "write after read":
        program.submit([from_(first_x), into(1)], **slow)
        program.submit([from_(2), into(0)], cores=AIC, after=before)
    else:
        program.submit([from_(2), into(first_x)], **slow)
        program.submit([from_(1), into(0)], cores=AIC, after=before)
    return program


@pytest.mark.parametrize("kind", ["read after write", "write after read", "write after write"])
def test_every_hazard_matters(worker, kind):
    """With the edge the result is right under every seed; without it, under some, it isn't."""
    config = {"block_dim": 2, "aicpu_thread_num": 2}
    for seed in range(40):
        run_program(worker, hazard(kind, worker.runtime, edges=True), seed=seed, **config)
    wrong = 0
    for seed in range(40):
        try:
            run_program(worker, hazard(kind, worker.runtime, edges=False), seed=seed, **config)
        except AssertionError:
            wrong += 1
    assert wrong > 0, "nothing can be seen of the edge"


def test_an_added_edge_waits_for_room(worker):
    """The edges of a scope that has ended come free when its tasks have completed: no reason to refuse others."""
    rings = Rings(dep_pool=4)
    for seed in range(20):
        program = Program(worker.runtime, rings, name_edges=False)
        program.begin(MANUAL)
        for number in range(5):
            program.submit([update(0)], after=range(max(number - 1, 0), number))  # a chain of 4 edges
        program.end()
        program.begin(MANUAL)
        first = program.submit([update(2)])
        second = program.submit([update(1)])
        program.dependency(first, second)
        program.close()
        assert not program.possible
        run_program(worker, program, seed=seed)


def test_callables_alternate(worker):
    """Several orchestrations and kernels on one worker, in turn."""
    from device_faults import run_fault

    for round_ in range(20):
        run_program(worker, good_program(worker.runtime), seed=round_)
        out, result = run_fault(worker, "63 scopes", seed=round_)
        assert (out[0], result.task_count) == (6, 1)


def test_a_worker_goes_through_all_runtimes():
    """Load, run, reset over every pair of runtime and platform, in every order of two."""
    pairs = [*PAIRS, *(("host_build_graph", platform) for platform in PLATFORMS)]
    with ch.ChipWorker() as worker:
        for first in pairs:
            for second in pairs:
                for runtime, platform in (first, second):
                    worker.init(runtime, platform)
                    if runtime == "host_build_graph":
                        run_graph(worker, *chain(5))
                    else:
                        run_program(worker, good_program(runtime))
                    worker.reset()


def test_workers_run_at_the_same_time():
    failures: list[BaseException] = []

    def work(index: int) -> None:
        try:
            rng = random.Random(index)
            runtime, platform = PAIRS[index % len(PAIRS)]
            with ch.ChipWorker(runtime, platform) as worker:
                for _ in range(15):
                    program = random_program(rng, runtime, Rings(), 30)
                    run_program(worker, program, **random_config(rng, platform))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


class TestNothingStays:
    @staticmethod
    def state() -> tuple[int, int, int]:
        gc.collect()
        maps = len(Path("/proc/self/maps").read_text().splitlines())
        return len(list(Path("/proc/self/task").iterdir())), len(list(Path("/proc/self/fd").iterdir())), maps

    def test_a_run_creates_and_opens_nothing(self, worker):
        program = good_program(worker.runtime)
        for _ in range(20):
            run_program(worker, program)
        before = worker.counts()
        threads, files, maps = self.state()
        for _ in range(300):
            run_program(worker, program)
        assert worker.counts() == before
        after = self.state()
        assert after[:2] == (threads, files)
        assert after[2] <= maps + 4  # the heap may have grown by a mapping or two

    def test_nor_does_one_that_fails(self, worker):
        """One that needs more than the rings hold."""
        bad = Program(worker.runtime, Rings(window=4))
        for _ in range(20):
            bad.submit([Arg(NEW, New((4,)), WRITES)])
        assert bad.certain

        def fail(count: int) -> None:
            for _ in range(count):
                with pytest.raises(ch.GraphError):
                    run_program(worker, bad)

        fail(20)
        before = worker.counts()
        threads, files, maps = self.state()
        fail(300)
        assert worker.counts() == before
        after = self.state()
        assert after[:2] == (threads, files)
        assert after[2] <= maps + 4
        run_program(worker, good_program(worker.runtime))


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
@pytest.mark.parametrize("sim_threads", [1, 4])
def test_many_tiles_are_handed_over(seed, sim_threads):
    """Kernels that wait for each other again and again are at work, not stalled."""
    scene = Scene.load(SCENES / "tensormap_and_ringbuffer" / "hand_over")
    [program] = scene.programs
    callable_ = ch.compile(
        program.orchestration, program.kernels, runtime=scene.runtime, signature=scene.signature, entry=program.entry
    )
    x = np.linspace(-1, 1, 3000, dtype=np.float32).reshape(3000, 1)
    out = np.empty_like(x)
    with ch.ChipWorker(scene.runtime) as worker:
        worker.run(callable_, [x, out, 1], seed=seed, sim_threads=sim_threads, timeout_s=30)
    y = 3.25 - (x.astype(np.float64) - 1.5) ** 2
    assert np.allclose(out, 3.25 - (y - 1.5) ** 2, atol=1e-5)

# SPDX-License-Identifier: Apache-2.0
"""Every error of the runtimes whose orchestration runs on the AICPU: provoked, named, and survived."""

from __future__ import annotations

import time

import pytest
from callables import chain, run_graph
from device_faults import SMALL, check_good, run_fault
from device_programs import ABG
from recovery import goes_on

import chiphost as ch
from chiphost._bench.resources import Resources

CODES = {row.name: row.code for row in ch.ERROR_TABLE.values()}
WINDOW, HEAP, POOL = ({name: value} for name, value in SMALL.items())


EXPIRED = r"tensor 0: the scope of submit #0 \(kernel `touch`\), which made it, has ended"

# Each entry: the fault: (configuration, name of the error, text).
FAULTS: dict[str, tuple[dict[str, int], str, str]] = {
    "many tasks": (WINDOW, "SCOPE_DEADLOCK", "have 4 tasks, the ring has 4 slots"),
    "many tasks, and goes on": (WINDOW, "SCOPE_DEADLOCK", "have 4 tasks, the ring has 4 slots"),
    "many buffers": (HEAP, "HEAP_DEADLOCK", "wanted 1024 bytes for new tensors; ring 0 has 4096"),
    "a large buffer": (HEAP, "HEAP_DEADLOCK", "wanted 1048576 bytes for new tensors, ring 0 has 4096"),
    "many tasks below a deep scope": (WINDOW, "WINDOW_DEADLOCK", r"all slots of ring 3 \(4 slots\) are taken"),
    "many predecessors": (POOL, "DEP_POOL_DEADLOCK", "wanted 5 edges for one task, ring 1 has 4"),
    "many edges": (POOL, "DEP_POOL_DEADLOCK", "wanted 1 edge; ring 1 has 4"),
    "many added edges": (POOL, "DEP_POOL_DEADLOCK", "wanted 1 edge; ring 1 has 4"),
    "no kernel": ({}, "TASK_INVALID", "the task has no kernel"),
    "no blocks": ({}, "TASK_INVALID", "wanted 1 to 715827882 blocks, found 0"),
    "too many blocks": ({}, "TASK_INVALID", "wanted 1 to 715827882 blocks, found 2147483647"),
    "func_id 1024": ({}, "FUNC_ID_OUT_OF_RANGE", "AIV0: wanted func_id 0 to 1023 or -1, found 1024"),
    "func_id -2": ({}, "FUNC_ID_OUT_OF_RANGE", "found -2"),
    "kernel missing": ({}, "KERNEL_MISSING", "AIV0: the callable has no kernel of func_id 7"),
    "kernel of a mixed task missing": ({}, "KERNEL_MISSING", "AIV1: the callable has no kernel of func_id 7"),
    "AIV kernel on AIC": ({}, "CORE_TYPE_INVALID", "AIC: kernel `touch` was built for AIV"),
    "AIC kernel on AIV": ({}, "CORE_TYPE_INVALID", "AIV1: kernel `touch` was built for AIC"),
    "33 tensors": ({}, "TOO_MANY_TASK_ARGS", "at most 32 tensors and 128 scalars, found 33 and 0"),
    "129 scalars": ({}, "TOO_MANY_TASK_ARGS", "at most 32 tensors and 128 scalars, found 0 and 129"),
    "33 tensors in C++": ({}, "ORCHESTRATION_THREW", "wanted at most 32 tensors"),
    "a task of another version": ({}, "ABI_MISMATCH", "found 8"),
    "role 5": ({}, "TASK_INVALID", "wanted a role of 0 to 4, found 5"),
    "no tensor": ({}, "TASK_INVALID", "tensor 0: there is none"),
    "6 dimensions": ({}, "TASK_INVALID", "at most 5 dimensions and a dtype, found 6"),
    "dtype 99": ({}, "TASK_INVALID", "found 1 and 99"),
    "a view beyond the buffer": ({}, "TASK_INVALID", "bytes 0 to 260 of a buffer of 256 bytes"),
    "a view beyond its array": ({}, "TASK_INVALID", "are not those of a box in a row-major array"),
    "a view of other strides": ({}, "TASK_INVALID", "are not those of a box in a row-major array"),
    "a view of dimensions that are none": ({}, "TASK_INVALID", "are not those of a box in a row-major array"),
    "a view before the buffer": ({}, "TASK_INVALID", "bytes -4 to 252 of a buffer of 256 bytes"),
    "a new tensor of 2^32 elements": ({}, "TASK_INVALID", r"wanted fewer than 2\^32 elements"),
    "a new tensor beyond 2^64 bytes": ({}, "TASK_INVALID", r"wanted fewer than 2\^32 elements"),
    "a new tensor of dtype 99": ({}, "TASK_INVALID", "new tensor 0: wanted at most 5 dimensions and a dtype"),
    "a view in C++": ({}, "ORCHESTRATION_THREW", "dimension 0 has 64 elements, wanted 10 from 60 on"),
    "an output that is not there": ({}, "ORCHESTRATION_THREW", r"output\(0\): the task made 0 tensors"),
    "an argument that is not there": ({}, "ORCHESTRATION_THREW", r"tensor\(2\): the run was given 2"),
    "a scope ends too often": ({}, "TASK_INVALID", "there is no open scope"),
    "a scope stays open": ({}, "TASK_INVALID", "returned with 1 open scope\n"),
    "scope mode 7": ({}, "TASK_INVALID", "found 7"),
    "65 scopes": ({}, "TASK_INVALID", "wanted scopes at most 64 deep"),
    "a tensor after its scope": (
        {},
        "TENSOR_EXPIRED",
        EXPIRED,
    ),
    "a view after its scope": (
        {},
        "TENSOR_EXPIRED",
        EXPIRED,
    ),
    "a task after a kernel that throws": ({}, "KERNEL_THREW", "what the kernel says"),
    "an element after its scope": (
        {},
        "TENSOR_EXPIRED",
        EXPIRED,
    ),
    "an element written after its scope": (
        {},
        "TENSOR_EXPIRED",
        EXPIRED,
    ),
    "an element of an open manual scope": ({}, "ELEMENT_WAIT", "starts only when its manual scope ends"),
    "element 64": ({}, "TASK_INVALID", "dimension 0 has 64 elements, wanted number 64"),
    "an element of 8 bytes": ({}, "ORCHESTRATION_THREW", "the value has 8 bytes"),
    "an edge to an earlier task": ({}, "GRAPH_CYCLE", "wanted it from a task that was submitted before the second"),
    "an edge to itself": ({}, "GRAPH_CYCLE", "wanted it from a task that was submitted before the second"),
    "an edge from no task": ({}, "TASK_ID_OUT_OF_RANGE", "edge from task 1000 of ring 0 to submit #0"),
    "an edge from task -1": ({}, "TASK_ID_OUT_OF_RANGE", "edge from task -1 to submit #0"),
    "an edge from ring 9": ({}, "TASK_ID_OUT_OF_RANGE", "edge from task 0 of ring 9 to submit #0"),
    "an edge to no task": ({}, "TASK_INVALID", "wanted it to a task of an open manual scope"),
    "an edge to a task that may run": ({}, "TASK_INVALID", "that has not been published"),
    "fail": ({}, "ORCHESTRATION_FATAL", "100% of what %s says"),
    "fail twice": ({}, "ORCHESTRATION_FATAL", "first"),
    "fail with 2,000 characters": ({}, "ORCHESTRATION_FATAL", "x{1999}!"),
    "fail at length": ({}, "ORCHESTRATION_FATAL", "xxxxxxxx"),
    "return 77": ({}, "ORCHESTRATION_FAILED", "returned 77"),
    "throw": ({}, "ORCHESTRATION_THREW", "what the orchestration says"),
    "throw a number": ({}, "ORCHESTRATION_THREW", "an exception that is no std::exception"),
    "a kernel throws": ({}, "KERNEL_THREW", "what the kernel says"),
    "a kernel throws a number": ({}, "KERNEL_THREW", "an exception that is no std::exception"),
    "hand over on one core": ({}, "KERNEL_THREW", "the task uses one core of the cluster only"),
}


# Faults of the runtime that infers edges and has automatic scopes.
TMR_FAULTS: dict[str, tuple[dict[str, int], str, str]] = {
    "many uses": (WINDOW, "TENSOR_MAP_DEADLOCK", "wanted to note 30 uses of tensors; there is room for 64"),
    "an automatic scope in a manual one": ({}, "TASK_INVALID", "an automatic scope inside a manual one"),
    "an element written in an open manual scope": ({}, "ELEMENT_WAIT", "starts only when its manual scope ends"),
    "an element behind an open manual scope": ({}, "ELEMENT_WAIT", "the orchestration waits for an element"),
    "a kernel throws while the orchestration submits": (
        {"ring_task_window": 1 << 17},
        "KERNEL_THREW",
        "what the kernel says",
    ),
    "a kernel throws while the orchestration waits": ({}, "KERNEL_THREW", "what the kernel says"),
}
DETAILS = {"fail": -42, "fail twice": 1, "fail with 2,000 characters": 1, "fail at length": 1, "return 77": 77}
CLASSES = {
    "STALLED": ch.StallError,
    "KERNEL_THREW": ch.KernelError,
    "ABI_MISMATCH": ch.LoadError,
    "ORCHESTRATION_FATAL": ch.OrchestrationError,
    "ORCHESTRATION_FAILED": ch.OrchestrationError,
    "ORCHESTRATION_THREW": ch.OrchestrationError,
}


def check_fault(workers: tuple[ch.ChipWorker, ch.ChipWorker], what: str, **config: float) -> None:
    worker, other = workers
    rings, name, text = (FAULTS | TMR_FAULTS | STALLS | TMR_STALLS)[what]
    with pytest.raises(CLASSES.get(name, ch.GraphError), match=text) as caught:
        run_fault(worker, what, **rings, **config)
    error = caught.value
    assert (error.name, error.code) == (name, CODES[name])
    assert error.hint and error.hint in str(error)
    assert len(str(error)) < 3000
    if what in DETAILS:
        assert error.detail_code == DETAILS[what]
    if name == "KERNEL_THREW":
        assert error.task == 0 and error.func_id is not None and error.core is not None
    if name == "STALLED":
        assert error.task == 0 and error.core is not None
    assert not worker.poisoned
    check_good(worker, other)
    goes_on(worker, other)


@pytest.mark.parametrize("what", FAULTS)
def test_faults(workers, what):
    check_fault(workers, what)
    check_fault(workers, what, seed=3, sim_threads=2, block_dim=2, aicpu_thread_num=1)


@pytest.mark.parametrize("what", TMR_FAULTS)
def test_faults_where_edges_are_inferred(tmr_workers, what):
    check_fault(tmr_workers, what)
    check_fault(tmr_workers, what, seed=3, sim_threads=2, block_dim=2, aicpu_thread_num=1)


# A core that waits in a kernel looks busy: other threads must not keep the stall from being seen.
STALLS: dict[str, tuple[dict[str, int], str, str]] = {
    "a tile that nobody pushes": ({}, "STALLED", "has not finished kernel `pop_for_ever` of submit #0"),
    "cores that wait for each other": ({}, "STALLED", "has not finished kernel `pop_for_ever` of submit #0"),
}
TMR_STALLS: dict[str, tuple[dict[str, int], str, str]] = {
    "an element of a task that waits for ever": ({}, "STALLED", "waits for an element in .*; core .* has not finished"),
}


@pytest.mark.parametrize("sim_threads", [1, 2])
@pytest.mark.parametrize("what", STALLS)
def test_kernels_that_wait_for_ever(workers, what, sim_threads):
    check_fault(workers, what, sim_threads=sim_threads)


@pytest.mark.parametrize("sim_threads", [1, 2])
@pytest.mark.parametrize("what", TMR_STALLS)
def test_an_orchestration_that_waits_for_ever(tmr_workers, what, sim_threads):
    check_fault(tmr_workers, what, sim_threads=sim_threads)


def test_every_scope_of_aicpu_build_graph_is_manual():
    with ch.ChipWorker(ABG) as worker:
        run_fault(worker, "an automatic scope in a manual one")


def test_a_worker_takes_another_runtime_after_each_error(workers):
    worker, _ = workers
    runtime, platform = worker.runtime, worker.platform
    assert runtime is not None and platform is not None
    for what in ("many tasks", "throw", "cores that wait for each other", "a kernel throws"):
        with pytest.raises(ch.ChiphostError):
            run_fault(worker, what, **(FAULTS | STALLS)[what][0])
        worker.reset()
        worker.init("host_build_graph", platform)
        run_graph(worker, *chain(5))
        worker.reset()
        worker.init(runtime, platform)
        check_good(worker)


@pytest.mark.parametrize("what", ["reads", "writes", "opens scopes", "asks"])
@pytest.mark.parametrize("sim_threads", [1, 3])
def test_orchestrations_that_loop(workers, what, sim_threads):
    """The deadline stops every call that is made for ever, and the worker goes on."""
    with pytest.raises(ch.DeadlineError) as caught:
        run_fault(workers[0], f"{what} for ever", timeout_s=0.2, sim_threads=sim_threads)
    assert caught.value.name == "DEADLINE_EXCEEDED"
    assert not workers[0].poisoned
    check_good(*workers)


@pytest.mark.parametrize("sim_threads", [1, 3])
@pytest.mark.parametrize("seed", [0, 3])
def test_an_orchestration_sees_that_a_kernel_has_thrown(tmr_workers, sim_threads, seed):
    with pytest.raises(ch.KernelError, match="what the kernel says"):
        run_fault(tmr_workers[0], "asks until a kernel has thrown", sim_threads=sim_threads, seed=seed)
    check_good(*tmr_workers)


def test_what_an_orchestration_says_when_it_is_stopped_is_not_why(workers):
    with pytest.raises(ch.DeadlineError):
        run_fault(workers[0], "fails when it is stopped", timeout_s=0.2)
    check_good(*workers)


def test_an_output_asked_for_after_its_scope(workers):
    """The test covers both cases: another task has its place by then, or not yet."""
    for seed in range(20):
        with pytest.raises(ch.ChiphostError, match=r"scope.* has ended") as caught:
            run_fault(workers[0], "an output asked for after its scope", seed=seed, aicpu_thread_num=2)
        assert caught.value.name in ("TENSOR_EXPIRED", "ORCHESTRATION_THREW")
    check_good(*workers)


def test_a_long_run_gives_its_memory_back(workers):
    """64 MiB of tensors, a few of them at the same time: the ring goes round, and nothing of it stays."""
    run_fault(workers[0], "nothing")
    before = Resources.now()
    _, result = run_fault(workers[0], "a long way round the heap", seed=1)
    assert result.task_count == 8000
    after = Resources.now()
    assert before is not None and after is not None
    assert after.since(before).memory_bytes < 20_000_000
    check_good(*workers)


def test_completed_tasks_take_no_edges(tmr_workers):
    out, _ = run_fault(tmr_workers[0], "edges from tasks that have completed", ring_dep_pool=4)
    assert out[0] == 5 + 6


def test_elements_wait_for_the_tasks_of_scopes_that_have_ended(workers):
    for seed in range(20):
        out, _ = run_fault(workers[0], "an element of an argument, after its scope", seed=seed, aicpu_thread_num=2)
        assert out[1] == out[0] + 100 and out[0] != 5


@pytest.mark.parametrize("what", ["nothing", "empty scopes"])
@pytest.mark.parametrize("sim_threads", [1, 2])
def test_no_tasks(workers, what, sim_threads):
    out, result = run_fault(workers[0], what, sim_threads=sim_threads)
    assert result.task_count == 0
    assert out.tolist() == [5] * 64


def test_scopes_64_deep(workers):
    out, result = run_fault(workers[0], "63 scopes")
    assert result.task_count == 1
    assert out.tolist() == [6] + [5] * 63


@pytest.mark.parametrize("clusters", [1, 7, 24])
def test_cluster_count(workers, clusters):
    out, _ = run_fault(workers[0], "clusters", block_dim=clusters)
    assert out[0] == clusters


class TestDeadline:
    """A run on a worker of its own: a call that never returns takes the worker with it."""

    KERNEL = 4  # never_return.cpp

    @pytest.mark.parametrize("what", ["a kernel never returns", "never return"])
    def test_poisons_what_never_returns(self, workers, what):
        error = self.poison(workers, what)
        if what == "never return":
            assert (error.task, error.core, error.func_id) == (None, None, None)
        else:
            self.names_the_kernel(error)

    def test_names_the_kernel_that_the_orchestration_waits_for(self, tmr_workers):
        error = self.poison(tmr_workers, "a kernel never returns, and the orchestration waits for an element")
        self.names_the_kernel(error)

    @classmethod
    def names_the_kernel(cls, error: ch.DeadlineError) -> None:
        clusters = 24  # by default; cores are numbered from the AICs on
        assert (error.task, error.submission, error.func_id) == (0, 0, cls.KERNEL)
        assert error.core is not None and clusters <= error.core < 3 * clusters
        assert f"kernel `never_return` of submit #0 on core {error.core}" in error.message

    @staticmethod
    def poison(workers: tuple[ch.ChipWorker, ch.ChipWorker], what: str) -> ch.DeadlineError:
        worker = ch.ChipWorker(workers[0].runtime, workers[0].platform)
        check_good(worker)
        started = time.monotonic()
        with pytest.raises(ch.DeadlineError) as caught:
            run_fault(worker, what, timeout_s=0.3)  # the run has time to begin
        assert time.monotonic() - started < 30
        assert (caught.value.name, caught.value.code) == ("DEADLINE_EXCEEDED", 605)
        assert worker.poisoned
        worker.finalize()
        check_good(*workers)
        with ch.ChipWorker(workers[0].runtime, workers[0].platform) as fresh:
            check_good(fresh)
        return caught.value

    @pytest.mark.parametrize("sim_threads", [1, 2])
    def test_ends_an_orchestration_that_submits_for_ever(self, workers, sim_threads):
        with ch.ChipWorker(workers[0].runtime, workers[0].platform) as worker:
            begin = time.monotonic()
            with pytest.raises(ch.DeadlineError) as caught:
                run_fault(worker, "submit for ever", timeout_s=0.2, sim_threads=sim_threads)
            assert time.monotonic() - begin < 30
            assert caught.value.name == "DEADLINE_EXCEEDED"
            assert not worker.poisoned
            check_good(worker, *workers)

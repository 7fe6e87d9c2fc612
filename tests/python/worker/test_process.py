# SPDX-License-Identifier: Apache-2.0
"""isolation="process": the same results, and faults that stay in the child."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from callables import PLATFORMS, RUNTIME, chain, misbehave, run_graph
from checkout import SCENES, SUPPORT
from kernel_faults import do

import chiphost as ch
from chiphost.scene import Scene
from chiphost.scenes import catalog
from chiphost.scenes.results import Settings
from chiphost.scenes.runner import Runner


@pytest.fixture
def worker():
    with ch.ChipWorker(RUNTIME, isolation="process") as made:
        yield made


@pytest.mark.parametrize("platform", PLATFORMS)
def test_all_scenes_pass(platform: str) -> None:
    entries = [catalog.load(name, folder) for name, folder in Scene.discover(SCENES)]
    entries = [entry for entry in entries if not entry.not_for(platform)]
    assert {entry.runtime for entry in entries} == {
        "host_build_graph",
        "aicpu_build_graph",
        "tensormap_and_ringbuffer",
    }
    results = Runner(Settings(platform, "process")).run(entries)
    assert [(result.name, result.error) for result in results if not result.passed] == []
    assert len(results) == len(entries)


def test_says_where_it_runs(worker: ch.ChipWorker) -> None:
    assert worker.isolation == "process"
    assert (worker.runtime, worker.platform) == (RUNTIME, "a2a3sim")
    assert worker.process_id is not None and worker.process_id != os.getpid()
    assert worker.counts()["libraries"] > 0
    run_graph(worker, *chain(5))
    worker.reset()
    assert worker.process_id is None and worker.isolation is None
    with ch.ChipWorker(RUNTIME, isolation="copy") as here:
        assert here.process_id is None


def test_traces_are_the_same(worker: ch.ChipWorker) -> None:
    with ch.ChipWorker(RUNTIME, isolation="copy") as here:
        traces = [run_graph(one, *chain(30), trace=True, seed=7).trace for one in (here, worker)]
    assert traces[0] and traces[0] == traces[1]


@pytest.mark.parametrize(
    ("what", "detail_code", "text"),
    [
        (1, -signal.SIGSEGV, "was killed by SIGSEGV while kernel `fault_kernel` of submit #0 on core"),
        (2, 3, "exited with code 3 while kernel `fault_kernel` of submit #0 on core"),
        (3, 4, "exited with code 4 while kernel `fault_kernel` of submit #0 on core"),
        (4, -signal.SIGABRT, "its last words on stderr:\nthe kernel's last words\nchiphost: SIGABRT in kernel"),
    ],
    ids=["crash", "exit", "_exit", "abort"],
)
def test_a_fault_of_a_kernel_is_an_error(worker: ch.ChipWorker, what: int, detail_code: int, text: str) -> None:
    do(worker, 0)
    child = worker.process_id
    with pytest.raises(ch.ProcessError) as caught:
        do(worker, what)
    error = caught.value
    assert (error.name, error.detail_code, error.where) == ("PROCESS_DIED", detail_code, "device")
    assert (error.task, error.func_id) == (0, 0)
    assert error.core is not None
    assert text in error.message and str(child) in error.message
    assert not worker.poisoned
    do(worker, 0)
    run_graph(worker, *chain(5))
    assert worker.process_id != child


@pytest.mark.parametrize("what", [1, 4], ids=["crash", "abort"])
def test_the_stack_of_a_crash_is_told_once(worker: ch.ChipWorker, what: int, capfd: pytest.CaptureFixture[str]) -> None:
    """It is in the error, and not on stderr besides."""
    with pytest.raises(ch.ProcessError) as caught:
        do(worker, what)
    assert caught.value.message.count("chiphost: SIG") == 1
    assert caught.value.message.count("\n  #0 ") == 1
    assert "chiphost" not in capfd.readouterr().err


def test_a_kernel_that_never_returns_ends_at_the_deadline(worker: ch.ChipWorker) -> None:
    with pytest.raises(
        ch.DeadlineError, match=r"kernel `fault_kernel` of submit #0 on core .* its process was ended"
    ) as caught:
        do(worker, 5, timeout_s=0.5)  # time to begin
    assert caught.value.task == 0
    assert not worker.poisoned
    do(worker, 0)


def test_errors_are_those_of_other_strategies(worker: ch.ChipWorker) -> None:
    child = worker.process_id
    out = np.zeros(4, np.int32)
    for what, error in ((1, ch.OrchestrationError), (4, ch.GraphError), (8, ch.DeviceMemoryError), (9, ch.KernelError)):
        with pytest.raises(error) as there:
            worker.run(misbehave(), [out, what])
        with ch.ChipWorker(RUNTIME, isolation="copy") as here, pytest.raises(error) as wanted:
            here.run(misbehave(), [out, what])
        assert (there.value.name, there.value.detail_code) == (wanted.value.name, wanted.value.detail_code)
    assert worker.process_id == child


CTRL_C = """
import os, signal, sys, threading
sys.path.insert(0, sys.argv[1])
import chiphost as ch
from callables import RUNTIME
from kernel_faults import do
with ch.ChipWorker(RUNTIME, isolation="process") as worker:
    do(worker, 0)
    child = worker.process_id
    # A terminal does so, too: it signals the whole group.
    threading.Timer(0.3, os.killpg, (0, signal.SIGINT)).start()
    try:
        do(worker, 5)
    except KeyboardInterrupt:
        print("interrupted")
    do(worker, 0)
    child = worker.process_id
    try:
        os.killpg(0, signal.SIGINT)
    except KeyboardInterrupt:
        pass
    do(worker, 0)
    print("the same" if worker.process_id == child else "another")
"""


def test_ctrl_c_reaches_only_the_parent() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CTRL_C, str(SUPPORT)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        start_new_session=True,
    )
    assert (done.returncode, done.stdout) == (0, "interrupted\nthe same\n")


def test_a_child_that_is_killed_while_it_waits_is_replaced(worker: ch.ChipWorker) -> None:
    child = worker.process_id
    assert child is not None
    descriptor = os.pidfd_open(child)
    os.kill(child, signal.SIGKILL)
    select.select([descriptor], [], [], 120)
    os.close(descriptor)
    do(worker, 0)
    assert worker.process_id != child


def test_a_fork_leaves_the_child_alone(worker: ch.ChipWorker) -> None:
    do(worker, 0)
    child = worker.process_id
    forked = os.fork()
    if forked == 0:
        code = 1
        try:
            with pytest.raises(ch.StateError, match="was made in process"):
                do(worker, 0)
            worker.finalize()
            code = 17
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 17
    do(worker, 0)
    assert worker.process_id == child


def test_workers_of_several_threads_know_nothing_of_each_other() -> None:
    faults: list[object] = []

    def work(index: int) -> None:
        try:
            with ch.ChipWorker(RUNTIME, PLATFORMS[index % 2], isolation="process") as own:
                for _ in range(10):
                    run_graph(own, *chain(10))
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    with ch.ChipWorker(RUNTIME, isolation="process") as crashing:
        for _ in range(3):
            with pytest.raises(ch.ProcessError):
                do(crashing, 1)
    for thread in threads:
        thread.join()
    assert faults == []


def test_a_missing_program_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chiphost._runtimes.runtimes.child_path", lambda: str(tmp_path / "chiphost_child"))
    with pytest.raises(ch.IsolationError, match="No such file") as caught:
        ch.ChipWorker(RUNTIME, isolation="process")
    assert caught.value.name == "PROCESS_NOT_STARTED"

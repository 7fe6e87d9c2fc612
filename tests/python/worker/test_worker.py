# SPDX-License-Identifier: Apache-2.0
"""ChipWorker from Python: its states, the results of a run, and the things that stay behind."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from callables import PLATFORMS, RUNTIME, chain, copy_tensor, misbehave, run_graph
from checkout import SUPPORT
from recovery import goes_on

import chiphost as ch
from chiphost._runtimes import runtimes


def entries(folder: str) -> int:
    return len(list(Path(folder).iterdir()))


class TestStates:
    def test_needs_a_runtime_first(self):
        worker = ch.ChipWorker()
        assert not worker.initialized
        assert worker.device_id == -1
        assert worker.runtime is None and worker.platform is None and worker.isolation is None
        with pytest.raises(ch.StateError, match="not initialized") as caught:
            run_graph_on(worker)
        assert caught.value.name == "NOT_INITIALIZED"
        worker.reset()

    def test_takes_one_runtime_at_a_time(self):
        with ch.ChipWorker(RUNTIME, "a2a3sim", device_id=3) as worker:
            assert worker.device_id == 3
            assert (worker.runtime, worker.platform) == (RUNTIME, "a2a3sim")
            with pytest.raises(ch.StateError, match=r"already initialized; call reset\(\) first"):
                worker.init(RUNTIME, "a5sim")
            worker.reset()
            assert worker.device_id == -1
            worker.init(RUNTIME, "a5sim")
            assert worker.platform == "a5sim"
            run_graph(worker, *chain(5))

    def test_keeps_the_programs_loaded_over_a_reset(self, worker):
        run_graph(worker, *chain(3))
        loads, isolation = worker.counts()["loads"], worker.isolation
        for _ in range(3):
            worker.reset()
            worker.init(RUNTIME, isolation=isolation)
            run_graph(worker, *chain(3))
        assert worker.counts()["loads"] == loads

    def test_ends_for_good(self):
        worker = ch.ChipWorker(RUNTIME)
        worker.finalize()
        worker.finalize()
        for call in (lambda: run_graph_on(worker), worker.reset, lambda: worker.init(RUNTIME)):
            with pytest.raises(ch.StateError, match="finalized"):
                call()

    def test_is_finalized_by_the_with_statement(self):
        with pytest.raises(ZeroDivisionError), ch.ChipWorker(RUNTIME) as worker:
            raise ZeroDivisionError
        with pytest.raises(ch.StateError):
            worker.reset()

    def test_shows_itself(self, worker):
        assert repr(worker) == "ChipWorker('host_build_graph', 'a2a3sim', device_id=0, ready)"
        worker.reset()
        assert repr(worker) == "ChipWorker(None, None, device_id=-1, without a runtime)"

    @pytest.mark.parametrize(
        ("arguments", "error", "text"),
        [
            ({"runtime": "no_such_runtime"}, "RUNTIME_UNKNOWN", "host_build_graph"),
            ({"platform": "z80sim"}, "PLATFORM_UNKNOWN", "a2a3sim, a5sim"),
            ({"isolation": "prayer"}, "INVALID_ARGUMENT", "namespace, copy, process, auto"),
            ({"device_id": -1}, "INVALID_ARGUMENT", "device_id: wanted 0 or more, found -1"),
            ({"device_id": 2**31}, "INVALID_ARGUMENT", "device_id: wanted 0 to 2147483647, found 2147483648"),
            ({"device_id": "0"}, "INVALID_ARGUMENT", "device_id: wanted an integer, found '0'"),
            ({"device_memory_bytes": 2**64}, "INVALID_ARGUMENT", "device_memory_bytes: wanted 0 to 1844"),
            ({"device_memory_bytes": -5}, "INVALID_ARGUMENT", "wanted 0 or more, found -5"),
        ],
    )
    def test_refuses_wrong_names(self, worker, other, arguments, error, text):
        worker.reset()
        with pytest.raises(ch.ChiphostError, match=text) as caught:
            worker.init(**{"runtime": RUNTIME, **arguments})
        assert caught.value.name == error
        worker.init(RUNTIME)
        goes_on(worker, other)

    def test_says_where_it_looked_for_runtimes(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CHIPHOST_LIB_DIR", str(tmp_path / "nowhere"))
        with pytest.raises(ch.SceneError) as caught:
            ch.ChipWorker(RUNTIME)
        assert f"looked in {tmp_path}/nowhere (CHIPHOST_LIB_DIR), which is no folder" in caught.value.message
        assert "CHIPHOST_LIB_DIR" in str(caught.value.hint)

    def test_finds_runtimes_in_the_home_folder(self, tmp_path, monkeypatch):
        (tmp_path / "lib").symlink_to(runtimes.library_dir())
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("CHIPHOST_LIB_DIR", "~/lib")
        with ch.ChipWorker(RUNTIME, isolation="copy") as worker:
            run_graph_on(worker)

    def test_refuses_files_that_are_no_runtime(self, worker, other, tmp_path):
        worker.reset()
        good = runtimes.find(RUNTIME, "a2a3sim")
        text = tmp_path / "text.so"
        text.write_text("no library")
        with pytest.raises(ch.LoadError) as caught:
            worker.init(ch.RuntimeFiles(text, good.aicpu, good.aicore))
        assert caught.value.name == "NOT_ELF"
        assert caught.value.where == str(text)
        with pytest.raises(ch.LoadError, match="tag"):
            worker.init(runtimes.find(RUNTIME, "a5sim"), "a2a3sim")
        worker.init(RUNTIME)
        goes_on(worker, other)


def run_graph_on(worker: ch.ChipWorker) -> None:
    out = np.zeros(4, np.int32)
    worker.run(misbehave(), [out, 0])


class TestResult:
    @pytest.mark.parametrize("trace", [False, True])
    def test_is_a_plain_value(self, worker, trace):
        result = run_graph(worker, *chain(5), trace=trace)

        def fields(result: ch.RunResult) -> list[object]:
            values = [getattr(result, name) for name in dir(result) if not name.startswith("_")]
            return [value for value in values if not callable(value)]

        assert len(fields(result)) == 8
        for again in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result), copy.copy(result)):
            assert fields(again) == fields(result)


class TestFailingRuns:
    """Every failure says what it was, names the guilty, and leaves the worker usable."""

    @pytest.mark.parametrize(
        ("what", "kind", "name", "text"),
        [
            (1, ch.OrchestrationError, "ORCHESTRATION_FAILED", "returned 77"),
            (2, ch.OrchestrationError, "ORCHESTRATION_THREW", "what the orchestration says"),
            (3, ch.GraphError, "FUNC_ID_OUT_OF_RANGE", "wanted func_id 0 to 1023, found 5000"),
            (4, ch.GraphError, "KERNEL_MISSING", "no kernel of func_id 7"),
            (5, ch.GraphError, "CORE_TYPE_INVALID", "built for AIV, the task wants AIC"),
            (6, ch.GraphError, "CORE_TYPE_INVALID", "found 9"),
            (7, ch.GraphError, "GRAPH_CYCLE", r"submit #0 \(kernel `\w+`\) at \S+\.cpp:\d+ -> submit #1"),
            (8, ch.DeviceMemoryError, "DEVICE_MEMORY_EXHAUSTED", "wanted 1125899906842624 bytes"),
            (9, ch.KernelError, "KERNEL_THREW", "what the kernel says"),
            (11, ch.GraphError, "TASK_ID_OUT_OF_RANGE", "edge from submit #0 to submit #1"),
        ],
    )
    def test_is_reported(self, worker, other, what, kind, name, text):
        out = np.full(4, 5, np.int32)
        with pytest.raises(kind, match=text) as caught:
            worker.run(misbehave(), [out, what])
        error = caught.value
        assert error.name == name
        assert error.code == {row.name: row.code for row in ch.ERROR_TABLE.values()}[name]
        assert error.hint and error.hint in str(error)
        assert out.tolist() == [5] * 4
        if name == "KERNEL_THREW":
            assert (error.task, error.func_id) == (0, 0)
            assert error.core is not None and 24 <= error.core < 72
        if name == "ORCHESTRATION_FAILED":
            assert error.detail_code == 77
        run_graph(worker, *chain(10))
        goes_on(worker, other)

    def test_survives_pickling(self, worker):
        with pytest.raises(ch.GraphError) as caught:
            worker.run(misbehave(), [np.zeros(4, np.int32), 3])
        again = pickle.loads(pickle.dumps(caught.value))
        assert type(again) is ch.GraphError
        assert (str(again), again.code, again.hint) == (str(caught.value), caught.value.code, caught.value.hint)

    def test_device_memory_is_a_limit(self):
        with ch.ChipWorker(RUNTIME, device_memory_bytes=1 << 20) as worker:
            array = np.zeros(1 << 20, np.uint8)
            with pytest.raises(ch.DeviceMemoryError, match="of 1048576 bytes are free") as caught:
                worker.run(copy_tensor(None), [array, array.copy()])
            assert isinstance(caught.value, MemoryError)
            for _ in range(20):
                small = np.zeros(100_000, np.uint8)
                worker.run(copy_tensor(None), [small, small.copy()])

    def test_a_kernel_that_never_returns_poisons_its_worker_only(self):
        other = ch.ChipWorker(RUNTIME)
        worker = ch.ChipWorker(RUNTIME)
        out = np.full(4, 5, np.int32)
        with pytest.raises(ch.DeadlineError, match=r"kernel `never_return` of submit #0 on core") as caught:
            worker.run(misbehave(), [out, 10], timeout_s=0.5)  # time to begin
        assert isinstance(caught.value, TimeoutError)
        assert (caught.value.task, caught.value.func_id) == (0, 1)
        assert caught.value.core is not None and 24 <= caught.value.core < 72
        assert worker.poisoned
        assert out.tolist() == [5] * 4
        for call in (lambda: run_graph(worker, *chain(2)), worker.reset):
            with pytest.raises(ch.StateError, match="poisoned") as poisoned:
                call()
            assert poisoned.value.name == "POISONED"
        run_graph(other, *chain(10))
        worker.finalize()
        other.finalize()
        with ch.ChipWorker(RUNTIME) as fresh:
            run_graph(fresh, *chain(10))


class TestNothingStays:
    def test_a_run_creates_and_opens_nothing(self, worker):
        run_graph(worker, *chain(50))
        before = worker.counts(), entries("/proc/self/task"), entries("/proc/self/fd")
        for _ in range(100):
            run_graph(worker, *chain(50))
        assert (worker.counts(), entries("/proc/self/task"), entries("/proc/self/fd")) == before

    def test_1000_load_run_reset_steps_leave_everything_as_it_was(self):
        worker = ch.ChipWorker()

        def steps(count: int) -> None:
            for step in range(count):
                worker.init(RUNTIME, PLATFORMS[step % 2])
                run_graph(worker, *chain(10))
                worker.reset()

        def state() -> tuple[int, int, int, list[str]]:
            maps = len(Path("/proc/self/maps").read_text().splitlines())
            temporary = [p.name for p in Path(os.environ.get("TMPDIR", "/tmp")).glob("chiphost-*") if p.is_file()]
            return entries("/proc/self/task"), entries("/proc/self/fd"), maps, temporary

        steps(50)
        gc.collect()
        threads, files, maps, temporary = state()
        steps(1000)
        gc.collect()
        after = state()
        assert after[:2] == (threads, files)
        assert after[2] <= maps + 4  # the heap may have grown by a mapping or two
        assert after[3] == temporary

    def test_an_idle_worker_uses_no_processor_time(self, worker):
        """This counts processor time. No other test has left a hanging run in its process."""
        child = subprocess.run(
            [sys.executable, "-c", IDLE, str(SUPPORT), worker.isolation],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert (child.returncode, child.stdout) == (0, "parked\n")


IDLE = """
import sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import chiphost as ch
from callables import RUNTIME, chain, run_graph
with ch.ChipWorker(RUNTIME, isolation=sys.argv[2]) as worker:
    run_graph(worker, *chain(10))
    tasks = [p for p in Path("/proc/self/task").iterdir() if (p / "comm").read_text().startswith("chiphost-")]
    assert tasks
    def switches():
        return [[x for x in (p / "status").read_text().splitlines() if "ctxt_switches" in x] for p in tasks]
    threading.Event().wait(0.2)  # past the time in which a thread still looks for the next call
    before = switches()
    threading.Event().wait(0.5)
    print("parked" if switches() == before else "busy")
"""

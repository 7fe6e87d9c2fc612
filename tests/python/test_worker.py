# SPDX-License-Identifier: Apache-2.0
"""ChipWorker from Python: its states, what it takes and what it refuses."""

from __future__ import annotations

import copy
import ctypes
import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from callables import FOLDER, PLATFORMS, RUNTIME, chain, copy_tensor, misbehave, run_graph, show_scalars

import chiphost as ch
from chiphost import _core, runtimes
from chiphost.worker import default_isolation


@pytest.fixture(params=["namespace", "copy"])
def worker(request: pytest.FixtureRequest):
    with ch.ChipWorker(RUNTIME, "a2a3sim", isolation=request.param) as made:
        yield made


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
            ({"isolation": "prayer"}, "INVALID_ARGUMENT", "namespace, copy, auto"),
            ({"device_id": -1}, "INVALID_ARGUMENT", "wanted 0 or more, found -1"),
            ({"device_memory_bytes": -5}, "INVALID_ARGUMENT", "wanted 0 or more, found -5"),
        ],
    )
    def test_refuses_wrong_names(self, arguments, error, text):
        with pytest.raises(ch.ChiphostError, match=text) as caught:
            ch.ChipWorker(**{"runtime": RUNTIME, **arguments})
        assert caught.value.name == error

    def test_refuses_files_that_are_no_runtime(self, tmp_path):
        good = runtimes.find(RUNTIME, "a2a3sim")
        text = tmp_path / "text.so"
        text.write_text("no library")
        with pytest.raises(ch.LoadError) as caught:
            ch.ChipWorker(ch.RuntimeFiles(text, good.aicpu, good.aicore))
        assert caught.value.name == "NOT_ELF"
        assert caught.value.where == str(text)
        with pytest.raises(ch.LoadError, match="tag"):
            ch.ChipWorker(runtimes.find(RUNTIME, "a5sim"), "a2a3sim")


def run_graph_on(worker: ch.ChipWorker) -> None:
    out = np.zeros(4, np.int32)
    worker.run(misbehave(), [out, 0])


class TestArguments:
    """What a run is given is checked before anything runs."""

    signature = (ch.In("source", "float32", (4, None)), ch.Out("target", "float32", (4, None)))

    def refused(self, worker: ch.ChipWorker, *args: object) -> ch.ChiphostError:
        before = [np.array(arg) for arg in args if isinstance(arg, np.ndarray)]
        with pytest.raises(ch.ArgumentError) as caught:
            worker.run(copy_tensor(self.signature), args)
        for array, old in zip((arg for arg in args if isinstance(arg, np.ndarray)), before, strict=True):
            np.testing.assert_array_equal(array, old)
        good = np.ones((4, 3), np.float32)
        out = np.zeros_like(good)
        worker.run(copy_tensor(self.signature), [good, out])
        np.testing.assert_array_equal(out, good)
        return caught.value

    def test_count(self, worker):
        error = self.refused(worker, np.zeros((4, 2), np.float32))
        assert error.name == "ARGUMENT_COUNT"
        assert "wanted 2 (source, target), found 1" in str(error)

    def test_dtype(self, worker):
        error = self.refused(worker, np.zeros((4, 2), np.float64), np.zeros((4, 2), np.float32))
        assert (error.name, error.where) == ("ARGUMENT_DTYPE", "source")
        assert error.message == "wanted dtype float32, found float64"

    @pytest.mark.parametrize("dtype", ["complex64", "datetime64[s]", "S4", "V8"])
    def test_unsupported_dtype(self, worker, dtype):
        error = self.refused(worker, np.zeros((4, 2), dtype), np.zeros((4, 2), np.float32))
        assert error.name in ("ARGUMENT_DTYPE", "INVALID_ARGUMENT")
        assert error.where == "source"

    def test_shape(self, worker):
        error = self.refused(worker, np.zeros((3, 2), np.float32), np.zeros((4, 2), np.float32))
        assert (error.name, error.where) == ("ARGUMENT_SHAPE", "source")
        assert error.message == "wanted shape (4, any), found (3, 2)"
        assert self.refused(worker, np.zeros(4, np.float32), np.zeros((4, 2), np.float32)).name == "ARGUMENT_SHAPE"

    def test_too_many_dimensions(self, worker):
        array = np.zeros((1,) * 6, np.float32)
        with pytest.raises(ch.ArgumentError, match="at most 5 dimensions, found 6"):
            worker.run(copy_tensor(None), [array, array.copy()])

    @pytest.mark.parametrize(
        "array",
        [np.zeros((4, 6), np.float32)[:, ::2], np.zeros((3, 4), np.float32).T, np.zeros((4, 3), np.float32)[:, ::-1]],
        ids=["strided", "transposed", "reversed"],
    )
    def test_layout(self, worker, array):
        error = self.refused(worker, array, np.zeros((4, 3), np.float32))
        assert (error.name, error.where) == ("ARGUMENT_LAYOUT", "source")

    def test_read_only(self, worker):
        array = np.zeros((4, 2), np.float32)
        array.flags.writeable = False
        error = self.refused(worker, array.copy(), array)
        assert (error.name, error.where) == ("ARGUMENT_READ_ONLY", "target")
        out = np.ones((4, 2), np.float32)
        worker.run(copy_tensor(self.signature), [array, out])  # as an input it may be read-only
        assert not out.any()

    def test_no_array(self, worker):
        error = self.refused(worker, "text", np.zeros((4, 2), np.float32))
        assert error.name == "INVALID_ARGUMENT"
        assert "wanted an array (buffer protocol or DLPack), found str" in error.message

    def test_no_sequence(self, worker):
        with pytest.raises(TypeError):
            worker.run(copy_tensor(self.signature), 5)

    def test_no_callable(self, worker):
        with pytest.raises((TypeError, AttributeError)):
            worker.run("callable", [])

    def test_an_output_that_is_an_input_by_the_orchestration(self, worker):
        array = np.zeros(4, np.float32)
        signature = (ch.In("source"), ch.In("target"))
        with pytest.raises(ch.GraphError, match="input by the callable's signature") as caught:
            worker.run(copy_tensor(signature), [array, array.copy()])
        assert caught.value.name == "HOST_RANGE_INVALID"


class TestArrays:
    """Arrays of every supported kind go in and come out, in place."""

    @pytest.mark.parametrize("dtype", list(_core.dtype_table()))
    def test_every_dtype(self, worker, dtype):
        kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
        array = np.arange(24, dtype=np.uint8).repeat(kind.itemsize).view(np.uint8)
        array = (array % 2 if dtype == "bool" else array)[: 24 * kind.itemsize].view(kind).reshape(2, 3, 4)
        out = np.zeros_like(array)
        worker.run(copy_tensor((ch.In("a", dtype, (2, 3, 4)), ch.Out("b", dtype))), [array, out])
        assert out.tobytes() == array.tobytes()

    def test_without_a_signature(self, worker):
        array, out = np.arange(5.0), np.zeros(5)
        worker.run(copy_tensor(None), [array, out])
        np.testing.assert_array_equal(out, array)

    @pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1, 1, 1, 1, 1)])
    def test_unusual_shapes(self, worker, shape):
        array, out = np.full(shape, 7, np.int16), np.zeros(shape, np.int16)
        worker.run(copy_tensor(None), [array, out] if shape else [np.asarray(array), np.asarray(out)])
        np.testing.assert_array_equal(out, array)

    def test_buffers(self, worker):
        out = bytearray(5)
        worker.run(copy_tensor(None), [b"bytes", out])
        assert out == b"bytes"
        source = (ctypes.c_int * 3)(1, 2, 3)
        target = (ctypes.c_int * 3)()
        worker.run(copy_tensor((ch.In("a", "int32"), ch.Out("b", "int32"))), [memoryview(source), memoryview(target)])
        assert list(target) == [1, 2, 3]

    def test_dlpack_without_a_buffer(self, worker):
        class OnlyDlpack:
            def __init__(self, array: np.ndarray) -> None:
                self.array = array

            def __dlpack__(self, **options: object) -> object:
                return self.array.__dlpack__(**options)

            def __dlpack_device__(self) -> tuple[int, int]:
                return self.array.__dlpack_device__()

        array, out = np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((2, 3), np.float32)
        signature = (ch.In("a", "float32", (2, 3)), ch.Out("b", "float32", (2, 3)))
        worker.run(copy_tensor(signature), [OnlyDlpack(array), OnlyDlpack(out)])
        np.testing.assert_array_equal(out, array)
        with pytest.raises(ch.ArgumentError) as caught:
            worker.run(copy_tensor(signature), [OnlyDlpack(np.asfortranarray(array)), out])
        assert caught.value.name == "ARGUMENT_LAYOUT"

    def test_are_let_go_after_the_run(self, worker):
        array, out = np.arange(5.0), np.zeros(5)
        before = sys.getrefcount(array), sys.getrefcount(out)
        for _ in range(10):
            worker.run(copy_tensor(None), [array, out])
        with pytest.raises(ch.ArgumentError):
            worker.run(copy_tensor((ch.In("a"), ch.Out("b"))), [array, "text"])
        gc.collect()
        assert (sys.getrefcount(array), sys.getrefcount(out)) == before
        out.resize(7)  # numpy refuses this while a buffer is exported


class TestScalars:
    def words(self, worker: ch.ChipWorker, scalars: list[object], *dtypes: str) -> list[int]:
        signature = (ch.Out("words", "uint64"), *(ch.Scalar(f"s{i}", d) for i, d in enumerate(dtypes)))
        out = np.zeros(len(scalars), np.uint64)
        worker.run(show_scalars(signature if dtypes else None), [out, *scalars])
        return out.tolist()

    def test_by_signature(self, worker):
        bits = np.float32(1.5).view(np.uint32).item(), np.float64(1.5).view(np.uint64).item()
        assert self.words(worker, [1.5, 1.5, 1], "float32", "float64", "float32") == [*bits, 0x3F800000]
        assert self.words(worker, [-1, 2**64 - 1, -1, True], "int64", "uint64", "int8", "bool") == [
            2**64 - 1,
            2**64 - 1,
            2**64 - 1,
            1,
        ]

    def test_by_their_own_type(self, worker):
        one = 0x3F800000
        scalars = [1.0, 7, np.float32(1), np.int16(-2), ctypes.c_float(1), ctypes.c_double(1), ctypes.c_int(-1), True]
        assert self.words(worker, scalars) == [one, 7, one, 2**64 - 2, one, 0x3FF0000000000000, 2**64 - 1, 1]

    @pytest.mark.parametrize(
        ("value", "dtype"),
        [(128, "int8"), (-1, "uint64"), (2**63, "int64"), (2**64, "uint64"), (2, "bool"), (-(2**63) - 1, "int64")],
    )
    def test_out_of_range(self, worker, value, dtype):
        with pytest.raises(ch.ArgumentError, match=f"{value} does not fit into {dtype}"):
            self.words(worker, [value], dtype)

    @pytest.mark.parametrize(("value", "dtype"), [(1.5, "int64"), ("1", "float32"), (None, "int32"), ([1], "float64")])
    def test_of_the_wrong_type(self, worker, value, dtype):
        with pytest.raises(ch.ArgumentError, match="wanted"):
            self.words(worker, [value], dtype)


class TestConfig:
    def test_defaults(self):
        assert repr(ch.CallConfig()) == (
            "CallConfig(block_dim=24, aicpu_thread_num=3, orch_thread_num=1, sim_threads=1, seed=0, trace=False, "
            "timeout_s=60.0)"
        )

    def test_fields(self):
        config = ch.CallConfig(3, 4, 0, seed=9, sim_threads=2, timeout_s=1)
        assert (config.block_dim, config.aicpu_thread_num, config.orch_thread_num) == (3, 4, 0)
        assert (config.seed, config.sim_threads, config.timeout_s, config.trace) == (9, 2, 1.0, False)
        other = copy.copy(config)
        other.block_dim = 5
        assert config.block_dim == 3
        with pytest.raises(ch.ConfigError, match="block_dim"):
            config.block_dim = -1
        with pytest.raises(ch.ChiphostError):
            ch.CallConfig(block_dim="many")

    @pytest.mark.parametrize(
        ("field", "value", "text"),
        [
            ("block_dim", 0, "wanted 1 to 24 on a2a3, found 0"),
            ("block_dim", 25, "wanted 1 to 24 on a2a3, found 25"),
            ("aicpu_thread_num", 0, "wanted 1 to 4 on a2a3, found 0"),
            ("aicpu_thread_num", 5, "wanted 1 to 4 on a2a3, found 5"),
            ("orch_thread_num", 4, "wanted 0 to 3 on a2a3, found 4"),
            ("sim_threads", 65, "wanted 1 to 64 on a2a3, found 65"),
        ],
    )
    def test_ranges(self, worker, field, value, text):
        with pytest.raises(ch.ConfigError, match=text) as caught:
            run_graph(worker, *chain(2), **{field: value})
        assert caught.value.where == field
        run_graph(worker, *chain(2))

    def test_ranges_of_a5(self):
        with ch.ChipWorker(RUNTIME, "a5sim") as worker:
            run_graph(worker, *chain(50), block_dim=36, aicpu_thread_num=7)
            with pytest.raises(ch.ConfigError, match="wanted 1 to 36 on a5, found 37"):
                run_graph(worker, *chain(2), block_dim=37)

    def test_unknown_field(self, worker):
        with pytest.raises(TypeError, match="blockdim"):
            run_graph(worker, *chain(2), blockdim=3)
        with pytest.raises(TypeError, match="no field 'blockdim'"):
            worker.run(copy_tensor(None), [np.zeros(1), np.zeros(1)], ch.CallConfig(), blockdim=3)

    def test_trace_needs_one_thread(self, worker):
        with pytest.raises(ch.ConfigError, match="sim_threads 1"):
            run_graph(worker, *chain(2), trace=True, sim_threads=2)


class TestFailingRuns:
    """Every failure says what it was, names the guilty, and leaves the worker usable."""

    @pytest.mark.parametrize(
        ("what", "kind", "name", "text"),
        [
            (1, ch.OrchestrationError, "ORCHESTRATION_FAILED", "returned 77"),
            (2, ch.OrchestrationError, "ORCHESTRATION_THREW", "what the orchestration says"),
            (3, ch.GraphError, "FUNC_ID_OUT_OF_RANGE", "wanted func_id 0 to 1023, found 5000"),
            (4, ch.GraphError, "KERNEL_MISSING", "no kernel 7"),
            (5, ch.GraphError, "CORE_TYPE_INVALID", "built for AIV, the task wants AIC"),
            (6, ch.GraphError, "CORE_TYPE_INVALID", "found 9"),
            (7, ch.GraphError, "GRAPH_CYCLE", "0 -> 1 -> 0"),
            (8, ch.DeviceMemoryError, "DEVICE_MEMORY_EXHAUSTED", "wanted 1125899906842624 bytes"),
            (9, ch.KernelError, "KERNEL_THREW", "what the kernel says"),
            (11, ch.GraphError, "TASK_ID_OUT_OF_RANGE", "edge 0 -> 1"),
        ],
    )
    def test_is_reported(self, worker, what, kind, name, text):
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
        worker.reset()
        worker.init(RUNTIME, "a2a3sim", isolation="copy")
        run_graph(worker, *chain(10))

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
        with pytest.raises(ch.DeadlineError, match="kernel 1 of task 0 on core") as caught:
            worker.run(misbehave(), [out, 10], timeout_s=0.05)
        assert isinstance(caught.value, TimeoutError)
        assert (caught.value.task, caught.value.func_id) == (0, 1)
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


class TestConcurrency:
    def test_workers_run_at_the_same_time(self):
        """Eight workers on two runtimes, each on a thread of its own."""
        failures: list[BaseException] = []

        def work(index: int) -> None:
            try:
                with ch.ChipWorker(RUNTIME, PLATFORMS[index % 2]) as worker:
                    for round_ in range(30):
                        run_graph(worker, *chain(5 + round_), sim_threads=1 + round_ % 2, seed=round_)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures

    def test_one_worker_serves_many_threads(self, worker):
        failures: list[BaseException] = []

        def work() -> None:
            try:
                for length in range(1, 30):
                    run_graph(worker, *chain(length))
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures

    def test_a_run_can_be_watched_and_cancelled_from_another_thread(self):
        """What a worker says of itself must not wait for its run."""
        worker = ch.ChipWorker(RUNTIME)
        ended: list[BaseException] = []

        def hang() -> None:
            try:
                worker.run(misbehave(), [np.zeros(4, np.int32), 10])
            except ch.DeadlineError as error:
                ended.append(error)

        misbehave()
        thread = threading.Thread(target=hang)
        thread.start()
        while thread.is_alive():
            assert worker.initialized and worker.device_id == 0 and worker.runtime == RUNTIME
            assert worker.isolation == default_isolation() and "host_build_graph" in repr(worker)
            assert worker.counts()["threads"] >= 2
            worker.cancel()
            thread.join(0.01)
        assert [error.name for error in ended] == ["INTERRUPTED"]
        assert worker.poisoned
        worker.cancel()
        worker.finalize()

    def test_ctrl_c_ends_a_run(self):
        """SIGINT while a kernel hangs: KeyboardInterrupt, a poisoned worker, and a process that ends in order."""
        program = f"""
import sys, threading, os, signal
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np, chiphost as ch
from callables import misbehave
worker = ch.ChipWorker("host_build_graph")
callable = misbehave()
print("ready", flush=True)
try:
    worker.run(callable, [np.zeros(4, np.int32), 10])
except KeyboardInterrupt:
    print("interrupted", worker.poisoned, flush=True)
"""
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        line = child.stdout.readline()
        while not line:  # the signal came before run(): once more
            line = child.stdout.readline()
        assert line == "interrupted True\n"
        assert child.wait(timeout=60) == 0
        child.stdout.close()

    def test_a_child_process_makes_its_own(self):
        worker = ch.ChipWorker(RUNTIME)
        run_graph(worker, *chain(5))
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with pytest.raises(ch.StateError) as caught:
                    run_graph(worker, *chain(5))
                with ch.ChipWorker(RUNTIME) as own:
                    run_graph(own, *chain(5))
                code = 17 if caught.value.name == "WRONG_PROCESS" else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17
        run_graph(worker, *chain(5))
        worker.finalize()


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
        """Counted, not timed: a parked thread is not scheduled at all."""
        run_graph(worker, *chain(10))
        tasks = {int(p.name) for p in Path("/proc/self/task").iterdir()}
        parked = tasks - {threading.get_native_id()}
        names = {t: Path(f"/proc/self/task/{t}/comm").read_text().strip() for t in parked}
        ours = [t for t in parked if names[t] == "chiphost"]
        assert ours

        def switches() -> dict[int, list[str]]:
            return {
                t: [x for x in Path(f"/proc/self/task/{t}/status").read_text().splitlines() if "ctxt_switches" in x]
                for t in ours
            }

        threading.Event().wait(0.2)  # past the time in which a thread still looks for the next call
        before = switches()
        threading.Event().wait(0.5)
        assert switches() == before


class TestCallable:
    def test_is_the_same_for_the_same_parts(self):
        first, second = copy_tensor(None), copy_tensor((ch.In("a"), ch.Out("b")))
        assert first.key != second.key
        again = pickle.loads(pickle.dumps(second))
        assert again.key == second.key
        with ch.ChipWorker(RUNTIME) as worker:
            array, out = np.arange(3), np.zeros(3, np.int64)
            worker.run(again, [array, out])
            assert out.tolist() == [0, 1, 2]

    def test_checks_its_parts(self):
        binary = ch.Binary(b"not checked before it is loaded", "key", "name")
        with pytest.raises(ch.GraphError) as caught:
            ch.ChipCallable(binary, [(1024, "aiv", binary)])
        assert caught.value.name == "FUNC_ID_OUT_OF_RANGE"
        with pytest.raises(ch.ArgumentError, match="used twice"):
            ch.ChipCallable(binary, [(1, "aiv", binary), (1, "aic", binary)])
        with pytest.raises(ch.GraphError, match="wanted 'aic' or 'aiv', found 'gpu'"):
            ch.ChipCallable(binary, [(1, "gpu", binary)])  # type: ignore[list-item]
        with pytest.raises(ch.ArgumentError, match="wanted one of"):
            ch.ChipCallable(binary, [], signature=[ch.In("a", "float128")])
        with pytest.raises(ch.ArgumentError, match="lengths are 0 or more"):
            ch.ChipCallable(binary, [], signature=[ch.In("a", "float32", (-1,))])

    @pytest.mark.parametrize(
        ("damage", "name"),
        [
            (lambda data: b"text", "NOT_ELF"),
            (lambda data: data[:2000], "FILE_TRUNCATED"),
            (lambda data: data[:18] + b"\xf3\x00" + data[20:], "WRONG_ARCHITECTURE"),
        ],
        ids=["text", "truncated", "RISC-V"],
    )
    def test_that_cannot_be_loaded_is_refused(self, worker, damage, name):
        good = copy_tensor(None)
        func_id, core, kernel = good.kernels[0]
        broken = ch.Binary(damage(kernel.data), f"broken {name}", "broken")
        with pytest.raises(ch.LoadError) as caught:
            worker.run(ch.ChipCallable(good.orchestration, [(func_id, core, broken)]), [np.zeros(3), np.zeros(3)])
        assert (caught.value.name, caught.value.where) == (name, "broken")
        with pytest.raises(ch.LoadError, match="no_such_function") as caught:
            worker.run(ch.ChipCallable(good.orchestration, good.kernels, "no_such_function"), [])
        assert caught.value.name == "ENTRY_MISSING"
        array, out = np.arange(3), np.zeros(3, np.int64)
        worker.run(good, [array, out])
        assert out.tolist() == [0, 1, 2]

    def test_many_callables_do_not_pile_up(self, worker, tmp_path):
        """A worker keeps a bounded number of callables loaded."""
        good = copy_tensor(None)
        array, out = np.arange(3), np.zeros(3, np.int64)
        kernels = [(0, "aiv", ch.Binary(good.kernels[0][2].data, f"key {i}", "copy")) for i in range(300)]
        for kernel in kernels:
            out[:] = 0
            worker.run(ch.ChipCallable(good.orchestration, [kernel]), [array, out])
            assert out.tolist() == [0, 1, 2]
        assert worker.counts()["libraries"] < 250

    def test_example_kernels_are_where_the_tests_look(self):
        assert (FOLDER / "combine.cpp").is_file()

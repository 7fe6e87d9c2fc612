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
import time
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from callables import FOLDER, PLATFORMS, RUNTIME, chain, copy_tensor, misbehave, run_graph, show_scalars
from recovery import goes_on

import chiphost as ch
from chiphost import _core
from chiphost._runtimes import runtimes
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


class TestArguments:
    """What a run is given is checked before anything runs."""

    signature = (ch.In("source", "float32", (4, None)), ch.Out("target", "float32", (4, None)))

    @pytest.fixture(autouse=True)
    def afterwards(self, worker, other):
        """Whatever a test of these passes, everything goes on."""
        yield
        goes_on(worker, other)

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
        for args, name in ((5, "int"), (None, "NoneType"), ({}, "dict")):
            with pytest.raises(TypeError, match=rf"^args: wanted a sequence of arrays and numbers; found {name}$"):
                worker.run(copy_tensor(self.signature), args)

    def test_no_callable(self, worker):
        with pytest.raises(TypeError, match=r"^callable: wanted a ChipCallable; found str$"):
            worker.run("callable", [])

    def test_no_config(self, worker):
        for overrides in ({}, {"seed": 1}):
            with pytest.raises(TypeError, match=r"^config: wanted a CallConfig .*block_dim=3.*; found dict$"):
                worker.run(copy_tensor(self.signature), [], {"block_dim": 3}, **overrides)

    def test_an_array_may_be_input_and_output(self, worker):
        array = np.arange(4, dtype=np.float32)
        worker.run(copy_tensor((ch.In("source"), ch.Out("target"))), [array, array])
        assert array.tolist() == [0, 1, 2, 3]

    def test_an_output_that_is_an_input_by_the_orchestration(self, worker):
        array = np.zeros(4, np.float32)
        signature = (ch.In("source"), ch.In("target"))
        with pytest.raises(ch.GraphError, match="input by the callable's signature") as caught:
            worker.run(copy_tensor(signature), [array, array.copy()])
        assert caught.value.name == "HOST_RANGE_INVALID"

    def test_a_read_only_output_without_a_signature(self, worker):
        array = np.zeros(4, np.float32)
        array.flags.writeable = False
        with pytest.raises(ch.GraphError, match="tensor 1 must not be written: its array is read-only"):
            worker.run(copy_tensor(None), [array.copy(), array])


class OnlyDlpack:
    """An array without the buffer protocol."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack__(self, **options: object) -> object:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()


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
        array, out = np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((2, 3), np.float32)
        signature = (ch.In("a", "float32", (2, 3)), ch.Out("b", "float32", (2, 3)))
        worker.run(copy_tensor(signature), [OnlyDlpack(array), OnlyDlpack(out)])
        np.testing.assert_array_equal(out, array)
        with pytest.raises(ch.ArgumentError) as caught:
            worker.run(copy_tensor(signature), [OnlyDlpack(np.asfortranarray(array)), out])
        assert caught.value.name == "ARGUMENT_LAYOUT"

    def test_read_only_dlpack(self, worker):
        array, target = np.arange(6, dtype=np.float32), np.zeros(6, np.float32)
        array.flags.writeable = target.flags.writeable = False
        out = np.zeros(6, np.float32)
        for signature in (None, (ch.In("a"), ch.Out("b"))):
            worker.run(copy_tensor(signature), [OnlyDlpack(array), OnlyDlpack(out)])
            np.testing.assert_array_equal(out, array)
            out[:] = 0
        with pytest.raises(ch.ArgumentError) as caught:
            worker.run(copy_tensor((ch.In("a"), ch.Out("b"))), [OnlyDlpack(array), OnlyDlpack(target)])
        assert (caught.value.name, caught.value.where) == ("ARGUMENT_READ_ONLY", "b")
        with pytest.raises(ch.GraphError, match="must not be written"):
            worker.run(copy_tensor(None), [OnlyDlpack(array), OnlyDlpack(target)])
        assert not target.any()

    def test_dlpack_with_a_dtype_of_another_kind(self, worker):
        """As torch's tensors: they have `dtype` and `view`, but the dtype has no name."""

        class Tensor(OnlyDlpack):
            dtype = object()

            def view(self, dtype: object) -> object:
                raise TypeError(dtype)

        array, out = np.arange(6, dtype=np.float32), np.zeros(6, np.float32)
        worker.run(copy_tensor(None), [Tensor(array), Tensor(out)])
        np.testing.assert_array_equal(out, array)

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

    def test_of_numpy_by_their_own_type(self, worker):
        scalars = [np.float64(1), np.bool_(True), np.bool_(False), np.uint64(2**64 - 1), np.float32(1)]
        assert self.words(worker, scalars) == [0x3FF0000000000000, 1, 0, 2**64 - 1, 0x3F800000]

    @pytest.mark.parametrize("dtype", ["bool", "int8", "uint64"])
    def test_a_numpy_bool_is_an_integer(self, worker, dtype):
        assert self.words(worker, [np.bool_(True), np.bool_(False)], dtype, dtype) == [1, 0]

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
            "CallConfig(block_dim=None, aicpu_thread_num=None, orch_thread_num=1, sim_threads=1, seed=0, trace=False, "
            "ring_task_window=None, ring_heap_bytes=None, ring_dep_pool=None, timeout_s=60.0)"
        )

    @pytest.mark.parametrize(
        "field", ["block_dim", "aicpu_thread_num", "ring_task_window", "ring_heap_bytes", "ring_dep_pool"]
    )
    def test_what_is_left_to_the_chip(self, field):
        config = ch.CallConfig(**{field: 4096})
        assert getattr(config, field) == 4096
        setattr(config, field, None)
        assert getattr(config, field) is None
        with pytest.raises(ch.ConfigError, match=f"{field}: .* or None for what the chip has; found 0") as caught:
            setattr(config, field, 0)
        assert f"change {field}= of run() or CallConfig, or '{field}' in the config of a scene" in caught.value.hint
        assert (f"CHIPHOST_{field.upper()}" in caught.value.hint) == field.startswith("ring")

    def test_the_chip(self, worker):
        assert worker.chip == ch.Chip(clusters=24, aicpu_threads=4, memory_bytes=64 << 30)
        with ch.ChipWorker(RUNTIME, "a5sim", isolation="process") as other:
            assert other.chip == ch.Chip(clusters=36, aicpu_threads=7, memory_bytes=other.chip.memory_bytes)
            other.reset()
            assert other.chip is None

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
        with pytest.raises(ch.ArgumentError, match="trace: wanted True or False, found str"):
            ch.CallConfig(trace="yes")
        with pytest.raises(ch.ArgumentError, match="timeout_s: wanted a number, found str"):
            config.timeout_s = "soon"

    def test_is_a_plain_value(self):
        fields = {"block_dim": 3, "aicpu_thread_num": 4, "orch_thread_num": 0, "sim_threads": 2, "seed": 2**64 - 1}
        fields |= {"ring_task_window": 8, "ring_heap_bytes": 2**40, "ring_dep_pool": 16}
        config = ch.CallConfig(**fields, trace=True, timeout_s=0.1)
        for again in (pickle.loads(pickle.dumps(config)), copy.deepcopy(config), copy.copy(config)):
            assert again is not config
            assert repr(again) == repr(config)
        assert {name for name in dir(config) if not name.startswith("_")} == {*fields, "trace", "timeout_s"}

    @pytest.mark.parametrize("value", [2**32, 2**40, 2**70, -1, -(2**70)])
    def test_what_no_chip_has(self, value):
        with pytest.raises(ch.ConfigError, match=f"block_dim: wanted 0 or more, .*; found {value}"):
            ch.CallConfig(block_dim=value)

    @pytest.mark.parametrize(
        ("field", "value", "text"),
        [
            ("block_dim", 0, "wanted 1 or more, .*; found 0"),
            ("block_dim", 25, "wanted 1 to 24 on a2a3, found 25"),
            ("aicpu_thread_num", 5, "wanted 1 to 4 on a2a3, found 5"),
            ("orch_thread_num", 4, "wanted 0 to 3 on a2a3, found 4"),
            ("sim_threads", 65, "wanted 1 to 64 on a2a3, found 65"),
        ],
    )
    def test_ranges(self, worker, other, field, value, text):
        with pytest.raises(ch.ConfigError, match=text) as caught:
            run_graph(worker, *chain(2), **{field: value})
        assert caught.value.where == field
        run_graph(worker, *chain(2))
        goes_on(worker, other)

    def test_ranges_of_a5(self):
        with ch.ChipWorker(RUNTIME, "a5sim") as worker:
            run_graph(worker, *chain(50), block_dim=36, aicpu_thread_num=7)
            with pytest.raises(ch.ConfigError, match="wanted 1 to 36 on a5, found 37"):
                run_graph(worker, *chain(2), block_dim=37)

    @pytest.mark.parametrize("value", [-1, -1e-9, float("nan"), float("-inf")])
    def test_no_time_to_wait(self, worker, other, value):
        for attempt in (
            lambda: ch.CallConfig(timeout_s=value),
            lambda: setattr(ch.CallConfig(), "timeout_s", value),
            lambda: run_graph(worker, *chain(2), timeout_s=value),
        ):
            with pytest.raises(ch.ConfigError, match="wanted 0 or more, found") as caught:
                attempt()
            assert (caught.value.name, caught.value.where) == ("CONFIG_OUT_OF_RANGE", "timeout_s")
        run_graph(worker, *chain(2), timeout_s=0)
        run_graph(worker, *chain(2), timeout_s=float("inf"))
        goes_on(worker, other)

    def test_is_read_when_the_run_begins(self, worker):
        """Another thread may change it while the run waits for its turn."""
        config = ch.CallConfig(trace=True)

        class ChangesIt(OnlyDlpack):
            def __dlpack__(self, **options: object) -> object:
                config.trace = False
                config.block_dim = 10_000
                return super().__dlpack__(**options)

        array, out = np.arange(3), np.zeros(3, np.int64)
        result = worker.run(copy_tensor(None), [ChangesIt(array), out], config)
        assert result.trace
        assert out.tolist() == [0, 1, 2]

    def test_unknown_field(self, worker):
        with pytest.raises(TypeError, match="blockdim"):
            run_graph(worker, *chain(2), blockdim=3)
        with pytest.raises(TypeError, match=r"^CallConfig has no field 'nope'$"):
            ch.CallConfig(nope=1)
        with pytest.raises(TypeError, match="no field 'blockdim'"):
            worker.run(copy_tensor(None), [np.zeros(1), np.zeros(1)], ch.CallConfig(), blockdim=3)

    def test_trace_needs_one_thread(self, worker):
        with pytest.raises(ch.ConfigError, match="sim_threads 1"):
            run_graph(worker, *chain(2), trace=True, sim_threads=2)


class TestResult:
    @pytest.mark.parametrize("trace", [False, True])
    def test_is_a_plain_value(self, worker, trace):
        result = run_graph(worker, *chain(5), trace=trace)

        def fields(result: ch.RunResult) -> list[object]:
            return [getattr(result, name) for name in dir(result) if not name.startswith("_")]

        assert len(fields(result)) == 5
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
            (4, ch.GraphError, "KERNEL_MISSING", "no kernel 7"),
            (5, ch.GraphError, "CORE_TYPE_INVALID", "built for AIV, the task wants AIC"),
            (6, ch.GraphError, "CORE_TYPE_INVALID", "found 9"),
            (7, ch.GraphError, "GRAPH_CYCLE", "0 -> 1 -> 0"),
            (8, ch.DeviceMemoryError, "DEVICE_MEMORY_EXHAUSTED", "wanted 1125899906842624 bytes"),
            (9, ch.KernelError, "KERNEL_THREW", "what the kernel says"),
            (11, ch.GraphError, "TASK_ID_OUT_OF_RANGE", "edge 0 -> 1"),
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
        with pytest.raises(ch.DeadlineError, match=r"kernel never_return \(func_id 1\) of task 0 on core") as caught:
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
try:
    worker.run(misbehave(), [np.zeros(4, np.int32), 10])
except KeyboardInterrupt:
    print("interrupted", worker.poisoned, flush=True)
"""
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        with child, child.stdout:
            assert child.stdout.readline() == "the kernel runs\n"
            child.send_signal(signal.SIGINT)
            assert child.stdout.readline() == "interrupted True\n"
            assert child.wait(timeout=60) == 0

    @pytest.mark.parametrize("call", ["finalize()", "reset()", "run(*quick)", "init(RUNTIME)"])
    def test_ctrl_c_ends_the_wait_for_another_thread(self, call):
        program = f"""
import sys, threading
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np, chiphost as ch
from callables import RUNTIME, misbehave
worker = ch.ChipWorker(RUNTIME)
quick = (misbehave(), [np.zeros(4, np.int32), 0])
hang = lambda: worker.run(misbehave(), [np.zeros(4, np.int32), 10], timeout_s=0)
threading.Thread(target=hang, daemon=True).start()
sys.stdin.readline()  # the kernel runs
try:
    print("waits", flush=True)
    worker.{call}
except KeyboardInterrupt:
    print("interrupted", worker.initialized, worker.poisoned, flush=True)
"""
        child = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdin is not None
        with child:
            try:
                assert child.stdout.readline() == "the kernel runs\n"
                child.stdin.write("\n")
                child.stdin.flush()
                assert child.stdout.readline() == "waits\n"
                time.sleep(0.2)
                child.send_signal(signal.SIGINT)
                out, _ = child.communicate(timeout=60)
            finally:
                child.kill()
        assert (out, child.returncode) == ("interrupted True False\n", 0)

    def test_a_timeout_includes_the_wait_for_another_thread(self):
        worker = ch.ChipWorker(RUNTIME)
        misbehave()
        errors: list[ch.DeadlineError] = []

        def hang() -> None:
            try:
                worker.run(misbehave(), [np.zeros(4, np.int32), 10], timeout_s=60)
            except ch.DeadlineError as error:
                errors.append(error)

        thread = threading.Thread(target=hang)
        thread.start()
        try:
            with pytest.raises(ch.DeadlineError, match=r"did not begin within 0\.4 s: another thread") as caught:
                while True:  # until the other thread has its turn
                    started = time.monotonic()
                    worker.run(misbehave(), [np.zeros(4, np.int32), 0], timeout_s=0.4)
            assert caught.value.name == "DEADLINE_EXCEEDED"
            assert 0.4 <= time.monotonic() - started < 30
            assert thread.is_alive()
        finally:
            worker.cancel()
            thread.join()
            worker.finalize()
        assert [error.name for error in errors] == ["INTERRUPTED"]

    @pytest.mark.parametrize("what", ["a hanging kernel", "run after run", "init after init"])
    def test_a_process_may_end_while_a_daemon_thread_is_at_work(self, what):
        program = f"""
import sys, threading, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np, chiphost as ch
from callables import chain, misbehave, run_graph
worker = ch.ChipWorker("host_build_graph")
run_graph(worker, *chain(5))
def work():
    while {what!r} == "run after run":
        run_graph(worker, *chain(20))
    while {what!r} == "init after init":
        worker.reset()
        worker.init("host_build_graph")
    worker.run(misbehave(), [np.zeros(4, np.int32), 10], timeout_s=0)
threading.Thread(target=work, daemon=True).start()
if {what!r} == "a hanging kernel":
    sys.stdin.readline()
else:
    print("at work", flush=True)
    time.sleep(0.2)
"""
        child = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        with child:
            assert child.stdout.readline() in ("the kernel runs\n", "at work\n")
            _, words = child.communicate("\n", timeout=60)
        assert child.returncode == 0, words
        assert "terminate called" not in words

    def test_a_worker_may_run_while_the_process_ends(self):
        """In the main thread: an exit handler that was registered before chiphost's runs after it."""
        program = f"""
import atexit, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
atexit.register(lambda: print("ran", last()))
import chiphost as ch
from callables import chain, run_graph
worker = ch.ChipWorker("host_build_graph")
last = lambda: run_graph(worker, *chain(5)).task_count
run_graph(worker, *chain(5))
"""
        done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, timeout=60)
        assert (done.returncode, done.stdout) == (0, "ran 5\n")

    def test_a_constructor_that_hangs_holds_up_its_worker_only(self, tmp_path):
        """The loader is busy for ever; whatever is loaded already goes on."""
        (tmp_path / "kernel.cpp").write_text(
            "#include <unistd.h>\n"
            "#include <chiphost/kernel.h>\n"
            "__attribute__((constructor)) static void hang() { for (;;) pause(); }\n"
            'extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t*) {}\n'
        )
        program = f"""
import sys, os
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np, chiphost as ch
from callables import FOLDER, RUNTIME, chain, run_graph
other = ch.ChipWorker(RUNTIME)
run_graph(other, *chain(5))
callable = ch.compile(FOLDER / "copy_tensor.cpp", [ch.Kernel(0, {str(tmp_path / "kernel.cpp")!r}, "aiv")])
worker = ch.ChipWorker(RUNTIME)
try:
    worker.run(callable, [np.zeros(4), np.zeros(4)], timeout_s=0.5)
except ch.DeadlineError as error:
    print(error.where, flush=True)
run_graph(other, *chain(5))
print(other.counts()["pinned"], flush=True)
fresh = ch.ChipWorker(RUNTIME)
run_graph(fresh, *chain(5), sim_threads=2)
worker.finalize()
print("done", flush=True)
os._exit(0)  # the loader would be asked to unload everything
"""
        done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, timeout=60)
        assert done.stdout.split("\n")[:3] == ["loading the callable", "0", "done"]

    def test_a_child_process_makes_its_own(self):
        worker = ch.ChipWorker(RUNTIME)
        run_graph(worker, *chain(5))
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with pytest.raises(ch.StateError) as caught:
                    run_graph(worker, *chain(5))
                with pytest.raises(ch.StateError):
                    worker.counts()
                with ch.ChipWorker(RUNTIME, isolation="auto") as own:  # its parent may have opened all namespaces
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
        """Counted, not timed: a parked thread is not scheduled. In a process where no other test left a hanging run."""
        child = subprocess.run(
            [sys.executable, "-c", IDLE, str(Path(__file__).parent), worker.isolation],
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

    @pytest.mark.parametrize("dtype", ["float32", np.float32, np.dtype("f4"), np.zeros(1, np.float32).dtype])
    def test_takes_dtypes_of_numpy(self, dtype):
        assert ch.In("a", dtype) == ch.Arg("a", "in", "float32")
        assert ch.Scalar("a", dtype) == ch.Arg("a", "scalar", "float32")

    def test_takes_dtypes_of_ml_dtypes(self):
        for dtype in (ml_dtypes.bfloat16, np.dtype(ml_dtypes.bfloat16)):
            assert ch.Out("a", dtype).dtype == "bfloat16"

    @pytest.mark.parametrize("dtype", [float, 4, np.zeros(1)], ids=str)
    def test_refuses_what_is_no_dtype(self, dtype):
        with pytest.raises(ch.ArgumentError, match=r"argument a: wanted a name, a numpy\.dtype") as caught:
            ch.In("a", dtype)
        assert caught.value.name == "ARGUMENT_DTYPE"

    def test_refuses_dtypes_it_does_not_have(self):
        binary = ch.Binary(b"not checked before it is loaded", "key", "name")
        for dtype, name in ((np.dtype(">f4"), ">f4"), (np.complex64, "complex64")):
            with pytest.raises(ch.ArgumentError, match=f"found '{name}'") as caught:
                ch.ChipCallable(binary, [], signature=[ch.In("a", dtype)])
            assert caught.value.hint == "name one of these in the signature"

    @pytest.mark.parametrize("shape", [(2.5,), 4, ("2",)])
    def test_refuses_what_is_no_shape(self, shape):
        with pytest.raises(ch.ArgumentError, match="argument a: wanted a sequence of integers and None") as caught:
            ch.In("a", "float32", shape)
        assert caught.value.name == "ARGUMENT_SHAPE"
        assert ch.In("a", "float32", [np.int64(2), None]).shape == (2, None)

    @pytest.mark.parametrize(
        ("damage", "name"),
        [
            (lambda data: b"text", "NOT_ELF"),
            (lambda data: data[:2000], "FILE_TRUNCATED"),
            (lambda data: data[:18] + b"\xf3\x00" + data[20:], "WRONG_ARCHITECTURE"),
        ],
        ids=["text", "truncated", "RISC-V"],
    )
    def test_that_cannot_be_loaded_is_refused(self, worker, other, damage, name):
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
        goes_on(worker, other)

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

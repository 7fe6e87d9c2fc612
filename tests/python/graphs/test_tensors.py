# SPDX-License-Identifier: Apache-2.0
"""Tensors: one kernel and one orchestration for every runtime, tensors of no elements, and wrong arguments."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from callables import FOLDER, copy_tensor

import chiphost as ch

pytestmark = pytest.mark.timeout(300)

RUNTIMES = ("host_build_graph", "aicpu_build_graph", "tensormap_and_ringbuffer")
DEVICE_RUNTIMES = RUNTIMES[1:]
ISOLATIONS = ("namespace", "copy", "process")


@cache
def program(runtime: str) -> ch.ChipCallable:
    """The program (x, y, what), as in tensors.cpp. The kernels are the same files for all runtimes."""
    return ch.compile(
        FOLDER / "tensors.cpp",
        [ch.Kernel(0, FOLDER / "copy_view.cpp", "aiv"), ch.Kernel(1, FOLDER / "fill_pairs.cpp", "aiv")],
        runtime=runtime,
        signature=[ch.In("x"), ch.Out("y"), ch.Scalar("what", "int32")],
    )


@pytest.fixture(
    scope="module", params=[(runtime, isolation) for runtime in RUNTIMES for isolation in ISOLATIONS], ids="-".join
)
def worker(request: pytest.FixtureRequest) -> Iterator[ch.ChipWorker]:
    runtime, isolation = request.param
    with ch.ChipWorker(runtime, "a2a3sim", isolation=isolation) as made:
        yield made


def run(worker: ch.ChipWorker, what: int, x: np.ndarray | None = None, y: np.ndarray | None = None) -> np.ndarray:
    x = np.arange(16, dtype=np.float32).reshape(2, 8) if x is None else x
    y = np.full(x.shape, -1, x.dtype) if y is None else y
    worker.run(program(worker.runtime), [x, y, what])
    return y


X = np.arange(16, dtype=np.float32).reshape(2, 8)


def test_one_kernel_runs_in_every_runtime(worker: ch.ChipWorker) -> None:
    np.testing.assert_array_equal(run(worker, 0), X)
    wide = np.arange(2 * 3 * 4 * 5, dtype=np.int16).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(run(worker, 0, wide), wide)
    assert run(worker, 0, np.array(7, np.int64)) == 7


def test_views_are_seen_by_kernels_of_every_runtime(worker: ch.ChipWorker) -> None:
    np.testing.assert_array_equal(run(worker, 1, X, np.empty((8, 2), np.float32)), X.T)
    np.testing.assert_array_equal(run(worker, 2), np.roll(X, (1, 4), (0, 1)))
    np.testing.assert_array_equal(run(worker, 3, X, np.empty(16, np.float32)), X.ravel())


def test_scalars_of_two_bytes_are_seen_by_kernels_of_every_runtime(worker: ch.ChipWorker) -> None:
    assert run(worker, 14, X, np.zeros(2, np.float32)).tolist() == [1.5, 2.5]


def test_new_tensors_start_as_they_were_specified(worker: ch.ChipWorker) -> None:
    assert (run(worker, 15) == 1.25).all()


@pytest.mark.parametrize("shape", [(0,), (0, 65536, 65536), (65536, 65536, 0), (65536, 0, 65536, 65536), (0, 2**31, 3)])
def test_an_array_without_elements_is_an_argument(worker: ch.ChipWorker, shape: tuple[int, ...]) -> None:
    run(worker, 0, np.zeros(shape, np.float32))
    with pytest.raises(ch.ArgumentError, match=r"wanted lengths below 2\^32"):
        run(worker, 0, np.zeros((0, 2**32), np.int8))


def test_views_without_elements_are_contiguous_and_may_lie_at_any_edge(worker: ch.ChipWorker) -> None:
    np.testing.assert_array_equal(run(worker, 4), X)
    run(worker, 4, np.zeros((1, 1), np.int8))
    run(worker, 17)
    run(worker, 18)


def test_a_shape_of_too_many_elements_is_refused(worker: ch.ChipWorker) -> None:
    with pytest.raises(ch.OrchestrationError, match=r"has 0 elements, the shape 18446744073709551615"):
        run(worker, 5)
    with pytest.raises(ch.ChiphostError) as caught:
        run(worker, 19)
    assert caught.value.name in ("DEVICE_MEMORY_EXHAUSTED", "TASK_INVALID")


@pytest.mark.parametrize(("what", "number"), [(6, 0), (8, 1)])
def test_a_tensor_that_was_never_made_is_said_to_be_that(worker: ch.ChipWorker, what: int, number: int) -> None:
    with pytest.raises(ch.GraphError, match=rf"tensor {number} was never made") as caught:
        run(worker, what)
    assert caught.value.name == "TASK_INVALID"
    with pytest.raises(ch.OrchestrationError, match=r"DeviceTensor::reshape: the tensor was never made"):
        run(worker, 7)
    np.testing.assert_array_equal(run(worker, 0), X)


@pytest.mark.parametrize("what", [9, 10, 11, 13])
def test_a_buffer_that_nobody_made_is_refused(worker: ch.ChipWorker, what: int) -> None:
    words = r"(tensor 0: wanted a buffer of the run|submit #0 .*: tensor 0: .* (is inside no live|do not fit))"
    with pytest.raises(ch.GraphError, match=words):
        run(worker, what)
    np.testing.assert_array_equal(run(worker, 0), X)


def test_a_tensor_with_a_wrong_number_is_found_all_the_same(worker: ch.ChipWorker) -> None:
    np.testing.assert_array_equal(run(worker, 12), X)


@pytest.fixture(
    scope="module",
    params=[(runtime, isolation) for runtime in DEVICE_RUNTIMES for isolation in ISOLATIONS],
    ids="-".join,
)
def device_worker(request: pytest.FixtureRequest) -> Iterator[ch.ChipWorker]:
    """A worker whose orchestrations run on the AICPU."""
    runtime, isolation = request.param
    with ch.ChipWorker(runtime, "a2a3sim", isolation=isolation) as made:
        yield made


def test_memory_of_an_argument_in_another_shape(device_worker: ch.ChipWorker) -> None:
    got = run(device_worker, 20)
    np.testing.assert_array_equal(got, [X[1], X[0]])


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (21, "tensor_at: 64 bytes at 0x[0-9a-f]+ are in no tensor argument of the run"),
        (22, "tensor 1 must not be written: it is an input"),
        (23, "tensor_at: 64 bytes at 0xfffffffffffffffc are in no tensor argument of the run"),
    ],
)
def test_other_memory_is_no_tensor(device_worker: ch.ChipWorker, what: int, words: str) -> None:
    with pytest.raises(ch.GraphError, match=words) as caught:
        run(device_worker, what)
    assert caught.value.name == "TASK_INVALID"
    np.testing.assert_array_equal(run(device_worker, 0), X)


def test_an_input_is_not_written(worker: ch.ChipWorker) -> None:
    if worker.runtime in DEVICE_RUNTIMES:
        with pytest.raises(ch.GraphError, match="tensor 1 must not be written"):
            run(worker, 16)


FORGERIES = """
#include <chiphost/device_graph.h>
using namespace chiphost;
CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto x = args.tensor(0), y = args.tensor(1);
    const auto made = graph.submit(Task(AIV, 0).input(x).output(like(x))).output(0);
    ch_device_tensor raw = made.raw();
    switch (args.scalar<int32_t>(0)) {
        case 0: raw.owner += 1; break;
        case 1: raw.owner = -1; break;
        case 2: raw.owner = int64_t{9} << 32; break;
        case 3: raw.buffer_bytes *= 2; break;
        case 4: raw.buffer = x.raw().buffer; raw.address = x.raw().address; break;
        case 5: raw = x.raw(); raw.owner = made.raw().owner; break;
        case 6: raw = x.raw(); raw.flags = 0; graph.submit(Task(AIV, 0).input(y).output(DeviceTensor(raw))); return 0;
        case 7: raw.buffer = raw.address = 4096; graph.read<float>(DeviceTensor(raw), {0, 0}); return 0;
        case 8: raw = y.raw(); raw.buffer_bytes += 4; graph.write<float>(DeviceTensor(raw), {0, 0}, 1); return 0;
        case 9: graph.read<float>(DeviceTensor(), {}); return 0;
    }
    graph.submit(Task(AIV, 0).input(DeviceTensor(raw)).output(y));
    return 0;
}
"""


@pytest.mark.parametrize("runtime", DEVICE_RUNTIMES)
@pytest.mark.parametrize(
    ("what", "words"),
    [
        (0, "which there was not"),
        (1, "wanted a buffer of the run"),
        (2, "which there was not"),
        (3, "wanted a buffer of the run"),
        (4, "wanted a buffer of the run"),
        (5, "wanted a buffer of the run"),
        (6, "must not be written"),
        (7, "wanted a buffer of the run"),
        (8, "wanted a buffer of the run"),
        (9, "was never made"),
    ],
)
def test_what_an_orchestration_says_of_a_tensor_is_checked(tmp_path: Path, runtime: str, what: int, words: str) -> None:
    (tmp_path / "forgeries.cpp").write_text(FORGERIES)
    kernel = ch.Kernel(0, FOLDER / "copy_view.cpp", "aiv")
    signature = [ch.In("x"), ch.Out("y"), ch.Scalar("what", "int32")]
    forgeries = ch.compile(tmp_path / "forgeries.cpp", [kernel], runtime=runtime, signature=signature)
    with ch.ChipWorker(runtime, "a2a3sim") as worker, pytest.raises(ch.GraphError, match=words):
        worker.run(forgeries, [X, np.empty_like(X), what])


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_kernels_of_a_scene_for_another_runtime_run(scenes_root: Path, tmp_path: Path, runtime: str) -> None:
    """The files of tensormap_and_ringbuffer/vector_example, unchanged."""
    kernels = scenes_root / "tensormap_and_ringbuffer" / "vector_example" / "kernels"
    source = scenes_root / runtime / "vector_example" / "orchestration.cpp"
    if runtime == "host_build_graph":
        source = tmp_path / "orchestration.cpp"
        source.write_text("""
#include <chiphost/host_build_graph.h>
CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    using chiphost::AIV;
    const auto a = graph.input(args.tensor(0)), b = graph.input(args.tensor(1)), f = graph.output(args.tensor(2));
    const auto c = graph.make(like(a)), d = graph.make(like(a)), e = graph.make(like(a));
    const auto t0 = graph.add_task(AIV, 0, {a, b, c});
    const auto t1 = graph.add_task(AIV, 1, {c, d, 1.0f}), t2 = graph.add_task(AIV, 1, {c, e, 2.0f});
    const auto t3 = graph.add_task(AIV, 2, {d, e, f});
    for (const auto task : {t1, t2}) {
        graph.add_successor(t0, task);
        graph.add_successor(task, t3);
    }
    graph.print();
    return 0;
}
""")
    names = ("add", "add_scalar", "multiply")
    parts = [ch.Kernel(i, kernels / f"{name}.cpp", "aiv") for i, name in enumerate(names)]
    example = ch.compile(source, parts, runtime=runtime, signature=[ch.In("a"), ch.In("b"), ch.Out("f")])
    a, b, f = np.full(64, 2, np.float32), np.full(64, 3, np.float32), np.empty(64, np.float32)
    with ch.ChipWorker(runtime, "a2a3sim") as worker:
        worker.run(example, [a, b, f])
        assert (f == (47 if runtime == "tensormap_and_ringbuffer" else 42)).all()  # it adds a + b once more


class DLTensor(ctypes.Structure):
    """DLPack's own, as in dlpack.h."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
        ("manager", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
    )


class OfCode:
    """The bytes of an array, given by DLPack only, as elements of a code."""

    def __init__(self, array: np.ndarray, code: int, bits: int = 8, lanes: int = 1) -> None:
        self.array = array
        self.shape = (ctypes.c_int64 * 1)(array.nbytes * 8 // (bits * lanes))
        self.managed = DLTensor(array.ctypes.data, 1, 0, 1, code, bits, lanes, self.shape)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0

    def __dlpack__(self, **_: Any) -> object:
        make = ctypes.pythonapi.PyCapsule_New
        make.restype, make.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        return make(ctypes.addressof(self.managed), b"dltensor", None)


@pytest.mark.parametrize(("code", "dtype"), [(10, "float8_e4m3fn"), (12, "float8_e5m2")])
def test_float8_comes_by_dlpack(code: int, dtype: str) -> None:
    array, out = np.arange(64, dtype=np.uint8), np.zeros(64, np.uint8)
    signature = (ch.In("a", dtype, (64,)), ch.Out("b", dtype, (64,)))
    with ch.ChipWorker("host_build_graph", "a2a3sim") as worker:
        worker.run(copy_tensor(signature), [OfCode(array, code), OfCode(out, code)])
    np.testing.assert_array_equal(out, array)


@pytest.mark.parametrize(
    ("code", "bits", "lanes", "name"),
    [
        (7, 8, 1, "float8_e3m4"),
        (8, 8, 1, "float8_e4m3"),
        (9, 8, 1, "float8_e4m3b11fnuz"),
        (11, 8, 1, "float8_e4m3fnuz"),
        (13, 8, 1, "float8_e5m2fnuz"),
        (14, 8, 1, "float8_e8m0fnu"),
        (15, 6, 1, "float6_e2m3fn"),
        (16, 6, 1, "float6_e3m2fn"),
        (17, 4, 1, "float4_e2m1fn"),
        (5, 64, 1, "complex64"),
        (2, 128, 1, "float128"),
        (0, 4, 1, "int4"),
        (6, 1, 1, "bool of 1 bits"),
        (2, 32, 4, "float32 in vectors of 4"),
        (10, 8, 2, "float8_e4m3fn in vectors of 2"),
        (99, 8, 1, "DLPack's code 99 with 8 bits"),
    ],
)
def test_another_dtype_of_dlpack_is_named(code: int, bits: int, lanes: int, name: str) -> None:
    with ch.ChipWorker("host_build_graph", "a2a3sim") as worker, pytest.raises(ch.ArgumentError) as caught:
        worker.run(copy_tensor(), [OfCode(np.zeros(96, np.uint8), code, bits, lanes), np.zeros(96, np.uint8)])
    assert caught.value.name == "ARGUMENT_DTYPE"
    assert f"dtype '{name}' is not supported; supported are float32" in caught.value.message


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "f4,i4", "S4", "U2", "O", "longdouble"])
def test_another_dtype_of_a_buffer_is_named(dtype: str) -> None:
    array = np.zeros(4, dtype)
    with ch.ChipWorker("host_build_graph", "a2a3sim") as worker, pytest.raises(ch.ArgumentError) as caught:
        worker.run(copy_tensor(), [array, np.zeros(4)])
    assert caught.value.name == "ARGUMENT_DTYPE"
    assert f"dtype '{array.dtype.name}' is not supported" in caught.value.message


@pytest.mark.parametrize("runtime", DEVICE_RUNTIMES)
class TestDeviceMemory:
    """The rings take what the device has room for."""

    @pytest.mark.parametrize("mib", [4, 64, 300])
    def test_default_rings_fit_a_small_device(self, runtime: str, mib: int) -> None:
        with ch.ChipWorker(runtime, "a2a3sim", device_memory_bytes=mib << 20) as worker:
            x = np.arange(1000, dtype=np.float32).reshape(10, 100)
            np.testing.assert_array_equal(run(worker, 0, x), x)
            # Rings have half of what the arguments leave, at most; of very little some more.
            run(worker, 17, np.zeros((2, mib << 16), np.int8)) if mib >= 64 else None
            np.testing.assert_array_equal(run(worker, 0, x), x)

    def test_rings_that_do_not_fit_are_named_with_what_makes_them_smaller(self, runtime: str) -> None:
        with ch.ChipWorker(runtime, "a2a3sim", device_memory_bytes=300 << 20) as worker:
            with pytest.raises(ch.DeviceMemoryError, match=r"rings of 67108864 bytes \(ring_heap_bytes\)") as caught:
                worker.run(program(runtime), [X, np.empty_like(X), 0], ring_heap_bytes=64 << 20)
            assert "ring_heap_bytes" in caught.value.hint
            np.testing.assert_array_equal(run(worker, 0), X)
            with pytest.raises(ch.DeviceMemoryError, match=r"argument `\w+`: .*the rings have \d+ \(ring_heap_bytes"):
                run(worker, 0, np.zeros((1, 295 << 20), np.int8))
            np.testing.assert_array_equal(run(worker, 0), X)


ROUNDED = """
#include <chiphost/device_graph.h>
using namespace chiphost;
CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto nothing = args.tensor(0);
    for (int32_t i = 0; i < args.scalar<int32_t>(0); ++i) {
        const auto made = graph.submit(Task(AIV, 0).input(nothing).output(nothing).output(
            TensorSpec(CH_UINT8, {args.scalar<uint32_t>(1)}))).output(0);
        require(made.address() % 1024 == 0 && made.bytes() == args.scalar<uint32_t>(1), "not where it should be");
    }
    return 0;
}
"""


@pytest.mark.parametrize("runtime", DEVICE_RUNTIMES)
@pytest.mark.parametrize(
    ("count", "bytes_each", "fits"),
    [(4, 1, True), (5, 1, False), (4, 1024, True), (3, 1025, False), (2, 1025, True), (4, 0, True)],
)
def test_a_new_tensor_takes_a_multiple_of_1024_bytes(
    tmp_path: Path, runtime: str, count: int, bytes_each: int, fits: bool
) -> None:
    (tmp_path / "rounded.cpp").write_text(ROUNDED)
    kernel = ch.Kernel(0, FOLDER / "copy_view.cpp", "aiv")
    rounded = ch.compile(tmp_path / "rounded.cpp", [kernel], runtime=runtime)
    with ch.ChipWorker(runtime, "a2a3sim") as worker:
        arguments = [np.zeros(0, np.uint8), count, bytes_each]
        if fits:
            worker.run(rounded, arguments, ring_heap_bytes=4096)
            return
        with pytest.raises(ch.GraphError, match="HEAP_DEADLOCK"):
            worker.run(rounded, arguments, ring_heap_bytes=4096)

# SPDX-License-Identifier: Apache-2.0
"""The arguments of a run of ChipWorker: arrays, scalars, and values that are neither."""

from __future__ import annotations

import ctypes
import gc
import sys

import ml_dtypes
import numpy as np
import pytest
from callables import copy_tensor, show_scalars
from only_dlpack import OnlyDlpack
from recovery import goes_on

import chiphost as ch
from chiphost import _core


class TestArguments:
    """The arguments of a run are checked before anything runs."""

    signature = (ch.In("source", "float32", (4, None)), ch.Out("target", "float32", (4, None)))

    @pytest.fixture(autouse=True)
    def afterwards(self, worker, other):
        """Everything goes on, whatever a test of these passes."""
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
        with pytest.raises(ch.GraphError, match="array 1 of the arguments must not be written: its array is read-only"):
            worker.run(copy_tensor(None), [array.copy(), array])


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
        """torch's tensors are like this: they have `dtype` and `view`, but the dtype has no name."""

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

# SPDX-License-Identifier: Apache-2.0
"""ChipCallable: its parts, its signature, and programs that cannot be loaded."""

from __future__ import annotations

import pickle

import ml_dtypes
import numpy as np
import pytest
from callables import FOLDER, RUNTIME, copy_tensor
from recovery import goes_on

import chiphost as ch


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

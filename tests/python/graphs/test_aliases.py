# SPDX-License-Identifier: Apache-2.0
"""Arguments of a run that share memory, and arguments that must not be written, where the AICPU orchestrates."""

from __future__ import annotations

import numpy as np
import pytest
from callables import FOLDER
from device_programs import PAIRS

import chiphost as ch


def write_both(worker: ch.ChipWorker, first: ch.Arg, second: ch.Arg) -> ch.ChipCallable:
    return compile_for(worker, "write_both.cpp", [first, second, ch.Scalar("how")])


def compile_for(worker: ch.ChipWorker, source: str, signature: list[ch.Arg]) -> ch.ChipCallable:
    return ch.compile(
        FOLDER / source,
        [ch.Kernel(0, FOLDER / "double_and_add.cpp", "aiv")],
        runtime=str(worker.runtime),
        platform=str(worker.platform),
        signature=signature,
    )


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def worker(request: pytest.FixtureRequest):
    with ch.ChipWorker(*request.param) as worker:
        yield worker


def test_the_same_array_twice_is_one_array(worker: ch.ChipWorker) -> None:
    callable = write_both(worker, ch.InOut("x"), ch.InOut("y"))
    x = np.zeros(64, np.float32)
    worker.run(callable, [x, x, 0])
    assert x.tolist() == [3.0] * 64


def test_arrays_that_share_a_part_cannot_both_be_written(worker: ch.ChipWorker) -> None:
    callable = write_both(worker, ch.InOut("x"), ch.InOut("y"))
    base = np.zeros(96, np.float32)
    with pytest.raises(ch.ArgumentError, match="`x` and argument `y` may both be written and share") as caught:
        worker.run(callable, [base[:64], base[32:], 0])
    assert caught.value.name == "ARGUMENT_LAYOUT"
    assert base.tolist() == [0.0] * 96
    worker.run(callable, [base[:48], base[48:], 0])
    assert base.tolist() == [1.0] * 96


@pytest.mark.parametrize("how", [0, 1], ids=["task", "element"])
def test_an_input_cannot_be_written(worker: ch.ChipWorker, how: int) -> None:
    callable = write_both(worker, ch.InOut("x"), ch.In("y"))
    x, y = np.zeros(64, np.float32), np.zeros(64, np.float32)
    with pytest.raises(ch.GraphError, match=r"tensor \d must not be written: it is an input") as caught:
        worker.run(callable, [x, y, how])
    assert caught.value.name == "TASK_INVALID"
    assert x.tolist() == y.tolist() == [0.0] * 64


def test_an_input_may_be_the_memory_of_an_output(worker: ch.ChipWorker) -> None:
    callable = compile_for(worker, "next_element.cpp", [ch.In("x"), ch.InOut("y")])
    x = np.full(8, 4.0, np.float32)
    worker.run(callable, [x, x])
    assert x.tolist() == [4.0, 5.0] + [4.0] * 6

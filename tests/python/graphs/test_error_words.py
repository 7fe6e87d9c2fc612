# SPDX-License-Identifier: Apache-2.0
"""Errors of runs name kernels, submissions, arguments and lines as a person knows them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
from callables import FOLDER, misbehave
from device_faults import run_fault
from device_programs import ABG

import chiphost as ch

TMR = "tensormap_and_ringbuffer"
PLACE = re.compile(r"(?:called|submitted) at \S*/(\w+\.cpp):(\d+)$", re.M)


@pytest.fixture(params=["namespace", "copy", "process"])
def isolation(request: pytest.FixtureRequest) -> Iterator[str]:
    return request.param


def fault_of(runtime: str, what: str, isolation: str = "copy", **config: float) -> ch.ChiphostError:
    with ch.ChipWorker(runtime, isolation=isolation) as worker, pytest.raises(ch.ChiphostError) as caught:
        run_fault(worker, what, **config)
    return caught.value


def line_of(error: ch.ChiphostError) -> str:
    """The line of the source that the message ends with."""
    found = PLACE.search(error.message)
    assert found, error.message
    return (FOLDER / found[1]).read_text().splitlines()[int(found[2]) - 1]


def test_a_refused_submission(isolation: str) -> None:
    error = fault_of(TMR, "AIV kernel on AIC", isolation)
    assert error.where == "submit #0 (kernel `touch`)"
    assert (error.submission, error.func_id) == (0, 0)
    assert "submit(" in line_of(error)
    assert error.message in str(error)
    assert "0x" not in error.message


def test_a_tensor_is_named_by_the_argument_that_it_is_in(isolation: str) -> None:
    error = fault_of(TMR, "a view beyond the buffer", isolation)
    assert "; tensor 0 is argument `out`;" in error.message


@pytest.mark.parametrize("runtime", [TMR, ABG])
def test_submissions_are_counted_from_0_on_all_rings(runtime: str) -> None:
    error = fault_of(runtime, "many tasks", ring_task_window=4)
    assert (error.where, error.submission) == ("submit #4 (kernel `touch`)", 4)
    assert "submit(" in line_of(error)


def test_a_kernel_that_throws(isolation: str) -> None:
    error = fault_of(TMR, "a kernel throws", isolation)
    assert f"kernel `throw_exception` of submit #0 on core {error.core} threw" in error.message
    assert error.submission == 0
    assert "submit(" in line_of(error)


def test_an_error_that_is_about_no_submission(isolation: str) -> None:
    error = fault_of(TMR, "a scope ends too often", isolation)
    assert (error.where, error.submission) == ("scope_end", None)


@pytest.mark.parametrize("deed", [4, 5])
def test_a_refused_task_of_host_build_graph(isolation: str, deed: int) -> None:
    with ch.ChipWorker("host_build_graph", isolation=isolation) as worker:
        with pytest.raises(ch.GraphError) as caught:
            worker.run(misbehave(), [np.zeros(4, np.int32), deed])
        assert caught.value.submission == 0
        assert caught.value.where.startswith("submit #0 (kernel ")
        assert "add_task(" in line_of(caught.value)


def test_a_hanging_kernel() -> None:
    with ch.ChipWorker(TMR, isolation="process") as worker:
        with pytest.raises(ch.DeadlineError) as caught:
            run_fault(worker, "a kernel never returns", timeout_s=0.2)
        assert "kernel `never_return` of submit #0 on core" in caught.value.message
        assert caught.value.submission == 0

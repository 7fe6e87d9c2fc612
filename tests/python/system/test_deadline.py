# SPDX-License-Identifier: Apache-2.0
"""A moment by which everything must be done. The runner's use of it is in test_runner.py."""

from __future__ import annotations

import math
import signal
import threading
import time

import pytest

from chiphost._system.deadline import Deadline, DeadlineOver


@pytest.mark.parametrize("seconds", [None, math.inf, 1e300])
def test_no_deadline_is_never_over(seconds: float | None) -> None:
    deadline = Deadline(seconds)
    assert deadline.seconds is None
    assert deadline.left_s == math.inf
    assert not deadline.over
    assert str(deadline) == "no deadline"


def test_what_is_left_becomes_less() -> None:
    deadline = Deadline(3600)
    before = deadline.left_s
    assert 0 < before <= 3600
    assert deadline.left_s <= before
    assert not deadline.over
    assert str(deadline) == "the deadline of 3600 s was over"


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_deadline_may_be_over_from_the_beginning(seconds: float) -> None:
    deadline = Deadline(seconds)
    assert deadline.over
    assert deadline.left_s <= 0


@pytest.fixture
def handler():
    """A handler of the program's own, and no timer of another test."""

    def own(number: int, frame: object) -> None:
        raise AssertionError("the alarm of a deadline went to another handler")

    before = signal.signal(signal.SIGALRM, own)
    yield own
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    signal.signal(signal.SIGALRM, before)


def test_code_that_goes_on_is_stopped(handler) -> None:
    with pytest.raises(DeadlineOver), Deadline(0).enforced(grace_s=0.01):
        while True:
            time.sleep(0.001)
    assert signal.getsignal(signal.SIGALRM) is handler
    assert not issubclass(DeadlineOver, Exception)  # code that is stopped must not catch it by chance


def test_nothing_is_left_of_one_that_was_kept(handler) -> None:
    with Deadline(3600).enforced(grace_s=1):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
        assert signal.getsignal(signal.SIGALRM) is not handler
    assert signal.getsignal(signal.SIGALRM) is handler


def test_without_a_deadline_and_elsewhere_nothing_is_enforced(handler) -> None:
    seen = []

    def look(deadline: Deadline) -> None:
        with deadline.enforced(grace_s=0):
            seen.append((signal.getitimer(signal.ITIMER_REAL), signal.getsignal(signal.SIGALRM) is handler))

    look(Deadline(None))
    thread = threading.Thread(target=look, args=(Deadline(0),))
    thread.start()
    thread.join()
    assert seen == [((0, 0), True)] * 2

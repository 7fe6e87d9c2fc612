# SPDX-License-Identifier: Apache-2.0
"""A moment by which everything must be done."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Final

_SECONDS_MAX: Final = 1e9  # 30 years


class DeadlineOver(BaseException):
    """Raised inside Python code that went on after the deadline. No Exception: the code must not catch it."""


class Deadline:
    """A number of seconds from now, or never (None, infinity, and numbers that no timer can count). For any thread."""

    def __init__(self, seconds: float | None = None) -> None:
        """Start the clock."""
        self.seconds: Final = None if seconds is None or seconds > _SECONDS_MAX else seconds
        self._end = math.inf if self.seconds is None else time.monotonic() + self.seconds

    @property
    def left_s(self) -> float:
        """Seconds that are left: negative when it is over, infinite when there is no deadline."""
        return self._end - time.monotonic()

    @property
    def over(self) -> bool:
        """True if no time is left."""
        return self.left_s <= 0

    def __str__(self) -> str:
        """The deadline in words, for messages."""
        return "no deadline" if self.seconds is None else f"the deadline of {self.seconds:g} s was over"

    @contextlib.contextmanager
    def enforced(self, grace_s: float) -> Iterator[None]:
        """Raise DeadlineOver in the body `grace_s` after the deadline.

        This is for code without a timeout of its own, such as a scene's Python code. Works on the main thread only;
        elsewhere, and without a deadline, this does nothing.
        """
        if self.seconds is None or threading.current_thread() is not threading.main_thread():
            yield
            return

        def ring(number: int, frame: FrameType | None) -> None:
            raise DeadlineOver

        previous = signal.signal(signal.SIGALRM, ring)
        try:
            signal.setitimer(signal.ITIMER_REAL, max(self.left_s, 0) + grace_s)
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)

# SPDX-License-Identifier: Apache-2.0
"""The check of a run's inputs: whether their arrays are the same after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from ..callable import ChipCallable
from .finding import Finding, Memory

_WHAT: Final = "input_changed"


class Inputs:
    """Copies of the arrays that a callable's signature calls inputs, as they were before a run."""

    def __init__(self, callable: ChipCallable, args: Sequence[Any], runtime: str) -> None:
        """Copy the inputs. Arguments that do not fit the signature are the run's to refuse."""
        self._callable = callable
        self._runtime = runtime
        signature = callable.signature or ()
        arrays = [(arg, value) for arg, value in zip(signature, args, strict=False) if arg.kind != "scalar"]
        inputs = [(number, arg.name, _array(value)) for number, (arg, value) in enumerate(arrays) if arg.kind == "in"]
        self._before: Final = [
            (number, name, array, array.copy()) for number, name, array in inputs if array is not None
        ]

    def findings(self) -> list[Finding]:
        """A finding for each input that has changed."""
        return [
            self._finding(number, name, array, before)
            for number, name, array, before in self._before
            if array.tobytes() != before.tobytes()
        ]

    def _finding(self, number: int, name: str, array: np.ndarray, before: np.ndarray) -> Finding:
        now, then = (np.frombuffer(each.tobytes(), np.uint8) for each in (array, before))
        changed = np.flatnonzero(now != then)
        begin, end = int(changed[0]), int(changed[-1]) + 1
        first, last = (
            tuple(map(int, np.unravel_index(byte // array.itemsize, array.shape))) for byte in (begin, end - 1)
        )
        memory = Memory("argument", name, number, None, array.nbytes, array.shape, array.dtype.name)
        return Finding(
            *("arguments", _WHAT, len(changed), None, None, memory, begin, end, first, last),
            runtime=self._runtime,
            callable=self._callable.name,
        )


def _array(value: Any) -> np.ndarray | None:
    """The array as NumPy sees it, without a copy; None if it cannot."""
    try:
        array = np.asarray(value) if hasattr(value, "__array__") or _has_buffer(value) else np.from_dlpack(value)
    except (TypeError, ValueError, BufferError, RuntimeError):
        return None
    return array if array.size and array.dtype != object else None


def _has_buffer(value: Any) -> bool:
    try:
        memoryview(value)
    except TypeError:
        return False
    return True

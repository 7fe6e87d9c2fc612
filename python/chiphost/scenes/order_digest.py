# SPDX-License-Identifier: Apache-2.0
"""A short text that says in which order tasks ran and on which cores, so that two runs can be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import numpy as np

_DIGITS: Final = 16
_KERNEL: Final = 3  # CH_TRACE_KERNEL
_EVENT: Final = np.dtype(
    [("step", "<u4"), ("core", "u1"), ("ring", "u1"), ("kind", "u1"), ("by", "u1"), ("value", "<u4"), ("task", "<u4")]
)
_KEPT: Final = ("core", "ring", "value", "task")  # the value is the block


def digest_of(traces: Iterable[bytes]) -> str:
    """The digest of the order of the runs with these traces.

    It is made of the core, the task and the block of each kernel that was entered, in the order in which they were. It
    has no addresses, times and steps, so that it is the same on every machine.
    """
    digest = hashlib.sha256()
    for trace in traces:
        events = np.frombuffer(trace, _EVENT)
        kernels = events[events["kind"] == _KERNEL]
        kept = np.empty(len(kernels), [(name, _EVENT[name]) for name in _KEPT])
        for name in _KEPT:
            kept[name] = kernels[name]
        digest.update(len(kernels).to_bytes(8, "little") + kept.tobytes())
    return digest.hexdigest()[:_DIGITS]

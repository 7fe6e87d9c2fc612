# SPDX-License-Identifier: Apache-2.0
"""Faults of a kernel that may end its process, provoked by number; see fault_kernel.cpp."""

from __future__ import annotations

from functools import cache

import numpy as np
from callables import FOLDER

import chiphost as ch


@cache
def one_task() -> ch.ChipCallable:
    return ch.compile(
        FOLDER / "one_task.cpp",
        [ch.Kernel(0, FOLDER / "fault_kernel.cpp", "aiv")],
        signature=[ch.Out("out", "int32", (1,)), ch.Scalar("what", "uint64")],
    )


def do(worker: ch.ChipWorker, what: int, **config: float) -> None:
    out = np.zeros(1, np.int32)
    worker.run(one_task(), [out, what], **config)
    assert out[0] == 42

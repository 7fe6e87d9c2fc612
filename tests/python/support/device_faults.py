# SPDX-License-Identifier: Apache-2.0
"""Faults of orchestrations on the AICPU and of their kernels, provoked by name; see device_misbehave.cpp."""

from __future__ import annotations

from functools import cache

import numpy as np
from callables import FOLDER
from device_programs import good_program, run_program

import chiphost as ch

SMALL = {"ring_task_window": 4, "ring_heap_bytes": 4096, "ring_dep_pool": 4}


@cache
def device_misbehave(platform: str = "a2a3sim") -> ch.ChipCallable:
    """One fault, chosen by a text: (out, what)."""
    return ch.compile(
        FOLDER / "device_misbehave.cpp",
        [
            ch.Kernel(0, FOLDER / "touch.cpp", "aiv"),
            ch.Kernel(1, FOLDER / "touch.cpp", "aic"),
            ch.Kernel(2, FOLDER / "throw_exception.cpp", "aiv"),
            ch.Kernel(3, FOLDER / "throw_number.cpp", "aiv"),
            ch.Kernel(4, FOLDER / "never_return.cpp", "aiv"),
            ch.Kernel(5, FOLDER / "pop_for_ever.cpp", "aic", defines=["ON_AIC"]),
            ch.Kernel(6, FOLDER / "pop_for_ever.cpp", "aiv"),
            # 7 is missing
            ch.Kernel(8, FOLDER / "wait_for_aiv1.cpp", "aiv"),
            ch.Kernel(9, FOLDER / "wait_for_flag.cpp", "aic"),
            ch.Kernel(10, FOLDER / "wait_for_flag.cpp", "aic", defines=["SPINS"]),
            ch.Kernel(11, FOLDER / "meet.cpp", "aiv"),
        ],
        platform=platform,
        signature=[ch.InOut("out", "int32", (64,)), ch.In("what", "uint8", (None,))],
    )


def run_fault(worker: ch.ChipWorker, what: str, **config: object) -> tuple[np.ndarray, ch.RunResult]:
    assert worker.platform is not None
    out = np.full(64, 5, np.int32)
    text = np.frombuffer(what.encode(), np.uint8)
    try:
        return out, worker.run(device_misbehave(worker.platform), [out, text], **config)
    except ch.ChiphostError:
        assert out.tolist() == [5] * 64
        raise


def check_good(*workers: ch.ChipWorker) -> None:
    """Run a program that has no fault on each worker."""
    for worker in workers:
        assert worker.runtime is not None
        run_program(worker, good_program(worker.runtime))

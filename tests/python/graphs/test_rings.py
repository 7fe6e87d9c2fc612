# SPDX-License-Identifier: Apache-2.0
"""The program alone decides if it fits its rings, not the speed of its tasks."""

from __future__ import annotations

import numpy as np
import pytest
from callables import FOLDER
from device_programs import PAIRS

import chiphost as ch


@pytest.mark.parametrize("runtime, platform", PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_a_task_that_is_done_keeps_no_slot_for_those_that_come_after_it(runtime: str, platform: str) -> None:
    callable = ch.compile(
        FOLDER / "edges_from_ended_scopes.cpp",
        [ch.Kernel(0, FOLDER / "double_and_add.cpp", "aiv")],
        runtime=runtime,
        platform=platform,
        signature=[ch.InOut("x", "float32", (None,)), ch.Scalar("tasks")],
    )
    with ch.ChipWorker(runtime, platform) as worker:
        for seed in range(24):
            x = np.zeros(12, np.float32)
            worker.run(callable, [x, 3], seed=seed, ring_task_window=4)
            assert x.tolist() == [3.0] * 12, seed

# SPDX-License-Identifier: Apache-2.0
"""Shows the registers during a run of three tasks, two of which may run at the same time."""

from pathlib import Path

import numpy as np

import chiphost as ch

RUNTIME = "tensormap_and_ringbuffer"
FOLDER = Path(__file__).parent / RUNTIME / "hypotenuse"
EVENT = np.dtype(
    [("step", "u4"), ("core", "u1"), ("ring", "u1"), ("kind", "u1"), ("by", "u1"), ("value", "u4"), ("task", "u4")]
)
KINDS = {1: "DATA_MAIN_BASE", 2: "COND", 3: "kernel"}

hypotenuse = ch.compile(
    FOLDER / "orchestration.cpp",
    [ch.Kernel(0, FOLDER / "kernels/square.cpp", "aiv"), ch.Kernel(1, FOLDER / "kernels/root_of_sum.cpp", "aiv")],
    runtime=RUNTIME,
)
x, y, out = np.ones((3, 100), np.float32)
with ch.ChipWorker(RUNTIME, "a2a3sim") as worker:
    trace = worker.run(hypotenuse, [x, y, out], block_dim=1, trace=True).trace
for event in np.frombuffer(trace, EVENT):
    if event["value"] & 0x7FFFFFFF < 0x7FFFFFF0:  # the others are the handshake before and after the run
        print(f"step {event['step']}  core {event['core']}  {KINDS[event['kind']]:<14}  {event['value']:#x}")

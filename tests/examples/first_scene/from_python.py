# SPDX-License-Identifier: Apache-2.0
"""Runs the scene's programs on arrays of one's own."""

from pathlib import Path

import numpy as np

import chiphost as ch

RUNTIME = "tensormap_and_ringbuffer"
FOLDER = Path(__file__).parent / RUNTIME / "hypotenuse"

hypotenuse = ch.compile(
    FOLDER / "orchestration.cpp",
    [ch.Kernel(0, FOLDER / "kernels/square.cpp", "aiv"), ch.Kernel(1, FOLDER / "kernels/root_of_sum.cpp", "aiv")],
    runtime=RUNTIME,
    signature=[ch.In("x", "float32"), ch.In("y", "float32"), ch.Out("out", "float32")],
)

x = np.array([3, 5, 8], np.float32)
y = np.array([4, 12, 15], np.float32)
out = np.empty_like(x)
with ch.ChipWorker(RUNTIME, "a2a3sim") as worker:
    result = worker.run(hypotenuse, [x, y, out], block_dim=1)
print(out, result.task_count)

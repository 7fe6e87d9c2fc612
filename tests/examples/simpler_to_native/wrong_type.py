# SPDX-License-Identifier: Apache-2.0
"""Gives the scene's programs an array of the wrong type."""

from pathlib import Path

import numpy as np

import chiphost as ch

RUNTIME = "tensormap_and_ringbuffer"
scene = ch.Scene.load(Path(__file__).parent / "native" / RUNTIME / "scale_and_add")
[program] = scene.programs

scale_and_add = ch.compile(
    program.orchestration,
    program.kernels,
    runtime=RUNTIME,
    signature=scene.signature,
)
x, y = np.ones((2, 4, 16))  # float64
out = np.zeros((4, 16), np.float32)
with ch.ChipWorker(RUNTIME, "a2a3sim") as worker:
    try:
        worker.run(scale_and_add, [x, y, out, 1.5], block_dim=3)
    except ch.ArgumentError as error:
        print(error)

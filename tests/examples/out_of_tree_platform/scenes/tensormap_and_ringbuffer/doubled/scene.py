# SPDX-License-Identifier: Apache-2.0
"""A scene for the platform of this project."""

import numpy as np

from chiphost.compiler import Kernel
from chiphost.scene import Scene
from chiphost.signature import In, Out

scene = Scene(
    description="y = 4 x in two tasks",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[Kernel(0, "double.cpp", "aiv")],
    signature=[In("x", "float32", (100,)), Out("y", "float32", (100,))],
    config={"block_dim": 2, "aicpu_thread_num": 2, "ring_task_window": 256, "ring_heap_bytes": 1 << 20},
    cases={"default": {}},
    platforms=("a2a3tiny",),
)


@scene.inputs
def inputs(case, rng):
    return {"x": rng.uniform(-1, 1, 100).astype(np.float32), "y": np.full(100, np.nan, np.float32)}


@scene.golden
def golden(args, case):
    return {"y": 4 * args["x"]}

# SPDX-License-Identifier: Apache-2.0
"""A scene for every platform. It says nothing of clusters and rings, so a run takes what the chip has."""

import numpy as np

from chiphost import In, Kernel, Out, Scene

scene = Scene(
    description="y = 4 x in two tasks",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[Kernel(0, "double.cpp", "aiv")],
    signature=[In("x", "float32", (100,)), Out("y", "float32", (100,))],
)


@scene.inputs
def inputs(case, rng):
    return {"x": rng.uniform(-1, 1, 100).astype(np.float32), "y": np.full(100, np.nan, np.float32)}


@scene.golden
def golden(args, case):
    return {"y": 4 * args["x"]}

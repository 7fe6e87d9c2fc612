# SPDX-License-Identifier: Apache-2.0
import numpy as np

from chiphost import In, InOut, Kernel, Out, Scene

VECTOR = ("float32", (1024,))

scene = Scene(
    description="twice = 2 * (x + y), x = 2 * y",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/add.cpp", "aiv"),
        Kernel(1, "kernels/scale.cpp", "aiv"),
    ],
    signature=[InOut("x", *VECTOR), In("y", *VECTOR), Out("twice", *VECTOR)],
    config={"block_dim": 1},
    cases={"default": {}},
)


@scene.inputs
def inputs(case, rng):
    x, y = rng.uniform(-10, 10, (2, 1024)).astype(np.float32)
    return {"x": x, "y": y, "twice": np.full_like(x, np.nan)}


@scene.golden
def golden(args, case):
    return {"x": 2 * args["y"], "twice": 2 * (args["x"] + args["y"])}

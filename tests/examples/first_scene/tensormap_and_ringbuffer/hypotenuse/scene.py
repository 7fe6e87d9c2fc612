# SPDX-License-Identifier: Apache-2.0
import numpy as np

from chiphost import In, Kernel, Out, Scene

VECTOR = ("float32", (None,))  # None: of any length

scene = Scene(
    description="out = √(x² + y²)",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/square.cpp", "aiv"),
        Kernel(1, "kernels/root_of_sum.cpp", "aiv"),
    ],
    signature=[In("x", *VECTOR), In("y", *VECTOR), Out("out", *VECTOR)],
    config={"block_dim": 1},
    cases={"default": {"elements": 1000}, "one": {"elements": 1}},
)


@scene.inputs
def inputs(case, rng):
    x, y = rng.uniform(-10, 10, (2, case["elements"])).astype(np.float32)
    return {"x": x, "y": y, "out": np.full_like(x, np.nan)}  # NaN: an element that nobody writes is noticed


@scene.golden
def golden(args, case):
    return {"out": np.hypot(args["x"], args["y"])}

# SPDX-License-Identifier: Apache-2.0
"""One kernel, again and again."""

import numpy as np

from chiphost import InOut, Kernel, Scalar, Scene

scene = Scene(
    description="smooth a vector, one round after the other",
    orchestration="rounds.cpp",
    entry="rounds",
    kernels=[Kernel(0, "smooth.cpp", "aiv")],
    signature=[InOut("values", "float32", (64,)), Scalar("rounds", "int64")],
    cases={"default": {"rounds": 10}, "none": {"rounds": 0}},
)


@scene.inputs
def inputs(case, rng):
    return {"values": rng.uniform(-1, 1, 64).astype(np.float32), "rounds": case["rounds"]}


@scene.golden
def golden(args, case):
    values = args["values"].copy()
    for _ in range(case["rounds"]):
        values[:-1] = (values[:-1] + values[1:]) / 2
    return {"values": values}

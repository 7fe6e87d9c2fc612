# SPDX-License-Identifier: Apache-2.0
"""Divides a number."""

import numpy as np

from chiphost import InOut, Kernel, Scalar, Scene

scene = Scene(
    description="divides a number",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[Kernel(0, "kernel.cpp", "aiv")],
    signature=[InOut("value", "int32", (1,)), Scalar("divisor", "int32")],
    cases={"default": {"divisor": 3}},
)


@scene.inputs
def inputs(case, rng):
    return {"value": np.array([12], np.int32), "divisor": case["divisor"]}


@scene.golden
def golden(args, case):
    return {"value": args["value"] // case["divisor"]}

# SPDX-License-Identifier: Apache-2.0
"""Crashes in the way that the case says."""

import numpy as np

from chiphost import InOut, Kernel, Scalar, Scene

# The numbers that crash.cpp and orchestration.cpp know.
DEEDS = ("orchestration", "segv", "fpe", "ill", "bus", "abort", "raise", "overflow")

scene = Scene(
    description="crashes in the way that the case says",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[Kernel(0, "crash.cpp", "aiv")],
    signature=[InOut("value", "int32", (1,)), Scalar("deed", "int32")],
    cases={deed: {"deed": number} for number, deed in enumerate(DEEDS)},
    default_case="segv",
)


@scene.inputs
def inputs(case, rng):
    return {"value": np.array([12], np.int32), "deed": case["deed"]}


@scene.golden
def golden(args, case):
    return {"value": args["value"]}

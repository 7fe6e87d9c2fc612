# SPDX-License-Identifier: Apache-2.0
import numpy as np

from chiphost import In, Kernel, Out, Scalar, Scene

MATRIX = ("float32", (None, None))  # None: any length

scene = Scene(
    description="out = factor * x + y",
    orchestration="orchestration.cpp",
    kernels=[
        Kernel(0, "kernels/scale.cpp", "aiv"),
        Kernel(1, "kernels/add.cpp", "aiv"),
    ],
    signature=[
        In("x", *MATRIX),
        In("y", *MATRIX),
        Out("out", *MATRIX),
        Scalar("factor", "float32"),
    ],
    config={"block_dim": 3},
    cases={
        "small": {"rows": 4, "columns": 16},
        "large": {"rows": 64, "columns": 256},
    },
    default_case="small",
    rtol=1e-5,
    atol=1e-5,
)


@scene.inputs
def inputs(case, rng):
    shape = (case["rows"], case["columns"])
    return {
        "x": rng.random(shape, np.float32),
        "y": rng.random(shape, np.float32),
        "out": np.full(shape, np.nan, np.float32),
        "factor": 1.5,
    }


@scene.golden
def golden(args, case):
    return {"out": args["factor"] * args["x"] + args["y"]}

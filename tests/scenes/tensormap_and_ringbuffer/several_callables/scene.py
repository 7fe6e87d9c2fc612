# SPDX-License-Identifier: Apache-2.0
"""A layer of a network by three runs on one worker, with two callables that number their kernels alike."""

import numpy as np

from chiphost import In, InOut, Kernel, Out, Program, Scene

MATMUL = [Kernel(0, "kernels/matmul.cpp", "aic")]
ADD_BIAS = [Kernel(0, "kernels/add_bias.cpp", "aiv")]

scene = Scene(
    description="out = max(x @ w + bias, 0) @ v: three runs on one worker, the first and the last of one callable",
    programs=[
        Program("multiply.cpp", "multiply", MATMUL, [In("x"), In("w"), Out("hidden")]),
        Program("activate.cpp", "activate", ADD_BIAS, [InOut("hidden"), In("bias")]),
        Program("multiply.cpp", "multiply", MATMUL, [In("hidden"), In("v"), Out("out")]),
    ],
    signature=[
        In("x", "float32", (None, None)),  # rows, inputs
        In("w", "float32", (None, None)),  # inputs, hidden
        In("bias", "float32", (None,)),
        In("v", "float32", (None, None)),  # hidden, outputs
        Out("hidden", "float32", (None, None)),
        Out("out", "float32", (None, None)),
    ],
    config={"block_dim": 3, "aicpu_thread_num": 4},
    needs={"clusters": 1, "aicpu_threads": 1},
    cases={"default": {"rows": 24, "inputs": 40, "hidden": 56, "outputs": 17}},
    rtol=1e-4,
    atol=1e-4,
    rounds=3,
)


@scene.inputs
def inputs(case, rng):
    rows, hidden, outputs = case["rows"], case["hidden"], case["outputs"]

    def random(*shape):
        return rng.uniform(-1, 1, shape).astype(np.float32)

    return {
        "x": random(rows, case["inputs"]),
        "w": random(case["inputs"], hidden),
        "bias": random(hidden),
        "v": random(hidden, outputs),
        "hidden": np.full((rows, hidden), np.nan, np.float32),
        "out": np.full((rows, outputs), np.nan, np.float32),
    }


@scene.golden
def golden(args, case):
    hidden = np.maximum(args["x"] @ args["w"] + args["bias"], 0)
    return {"hidden": hidden, "out": hidden @ args["v"]}

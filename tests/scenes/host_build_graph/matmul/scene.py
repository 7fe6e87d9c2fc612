# SPDX-License-Identifier: Apache-2.0
"""F = exp(sqrt(ln A) @ W1 + sqrt(ln A) @ W2): a diamond over both core types, float16 in, float32 out."""

import numpy as np

from chiphost import In, Kernel, Out, Scene

SIZE = 128
SHAPE = (SIZE, SIZE)

scene = Scene(
    description="F = exp(sqrt(ln A) @ W1 + sqrt(ln A) @ W2): vector, two matrix and again vector tasks",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/sqrt_log.cpp", "aiv"),
        Kernel(1, "kernels/matmul.cpp", "aic"),
        Kernel(2, "kernels/add_exp.cpp", "aiv"),
    ],
    signature=[
        In("a", "float16", SHAPE),
        In("w1", "float16", SHAPE),
        In("w2", "float16", SHAPE),
        Out("f", "float32", SHAPE),
    ],
    config={"block_dim": 3, "aicpu_thread_num": 3},
    needs={"clusters": 1, "aicpu_threads": 1},
    cases={
        "default": {"values": "constant"},  # a = e^4, w1 = w2 = 1/256: f is e^2 everywhere
        "random": {"values": "random"},
    },
    rtol=1e-2,
    atol=1e-2,
)


@scene.inputs
def inputs(case, rng):
    if case["values"] == "constant":
        a, w1, w2 = np.full(SHAPE, np.exp(4)), np.full(SHAPE, 1 / 256), np.full(SHAPE, 1 / 256)
    else:
        # The exponents of f have a standard deviation near 1: its elements differ by far more than the tolerance.
        a = rng.uniform(1.5, 8, SHAPE)
        w1, w2 = rng.normal(0, 0.05, (2, *SHAPE))
    values = {"a": a, "w1": w1, "w2": w2}
    return {name: value.astype(np.float16) for name, value in values.items()} | {
        "f": np.full(SHAPE, np.nan, np.float32)  # an element that no kernel writes is noticed
    }


@scene.golden
def golden(args, case):
    b = np.sqrt(np.log(args["a"]))
    return {"f": np.exp(b @ args["w1"] + b @ args["w2"])}

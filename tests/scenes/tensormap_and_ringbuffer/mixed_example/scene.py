# SPDX-License-Identifier: Apache-2.0
"""Tasks on every combination of a cluster's cores: a product of matrices, a sum and a product by elements."""

import numpy as np

from chiphost import In, Kernel, Out, Scene

SIZE = 128
SHAPE = (SIZE, SIZE)
OPERATION = {"c": "matmul", "f": "add", "i": "multiply"}
OPERATION |= {"j": "matmul"}
OPERATION |= {"k": "add"}
OPERATION |= {"l": "add", "m": "multiply"}
OPERATION |= {"n": "matmul", "o": "add"}

scene = Scene(
    description="tasks on AIC, AIV, AIC + AIV, two AIV, and AIC + two AIV",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/matmul.cpp", "aic"),
        Kernel(1, "kernels/add.cpp", "aiv", name="add_3", defines=["FIRST_ARG=3"]),
        Kernel(2, "kernels/multiply.cpp", "aiv", name="multiply_6", defines=["FIRST_ARG=6"]),
        Kernel(3, "kernels/add.cpp", "aiv", name="add_0", defines=["FIRST_ARG=0"]),
        Kernel(4, "kernels/multiply.cpp", "aiv", name="multiply_3", defines=["FIRST_ARG=3"]),
    ],
    signature=[
        Out(name, "float32", (None, *SHAPE)) if name in OPERATION else In(name, "float32", SHAPE)
        for name in "abcdefghijklmno"
    ],
    config={"block_dim": 3, "aicpu_thread_num": 4},
    needs={"clusters": 1, "aicpu_threads": 1},
    cases={
        "case1": {"slices": 4, "scale": 0.01},
        "case2": {"slices": 1, "scale": 0.01},
        # Values far above the tolerance: confused operands are noticed.
        "large_values": {"slices": 3, "scale": 1.0},
    },
    default_case="case1",
    rtol=1e-3,
    atol=1e-3,
)


@scene.inputs
def inputs(case, rng):
    def matrix():
        return (rng.standard_normal(SHAPE) * case["scale"]).astype(np.float32)

    # NaN: an element that no kernel writes is noticed.
    return {
        arg.name: matrix() if arg.kind == "in" else np.full((case["slices"], *SHAPE), np.nan, np.float32)
        for arg in scene.signature
    }


@scene.golden
def golden(args, case):
    results = {
        "matmul": args["a"] @ args["b"],
        "add": args["d"] + args["e"],
        "multiply": args["g"] * args["h"],
    }
    return {name: np.stack([results[operation]] * case["slices"]) for name, operation in OPERATION.items()}

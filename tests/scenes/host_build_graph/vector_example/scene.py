# SPDX-License-Identifier: Apache-2.0
"""f = (a + b + 1) * (a + b + 2) on vectors: the smallest scene, a diamond of four tasks."""

import numpy as np

from chiphost import In, Kernel, Out, Scene

ELEMENTS = 16384

scene = Scene(
    description="f = (a + b + 1) * (a + b + 2): four vector tasks in a diamond",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/add.cpp", "aiv"),
        Kernel(1, "kernels/add_scalar.cpp", "aiv"),
        Kernel(2, "kernels/multiply.cpp", "aiv"),
    ],
    signature=[
        In("a", "float32", (ELEMENTS,)),
        In("b", "float32", (ELEMENTS,)),
        Out("f", "float32", (ELEMENTS,)),
    ],
    config={"block_dim": 3, "aicpu_thread_num": 3},
    needs={"clusters": 1, "aicpu_threads": 1},
    cases={
        "default": {"values": "constant"},  # a = 2, b = 3: f is 42 everywhere
        "random": {"values": "random"},
    },
    rtol=1e-5,
    atol=1e-5,
)


@scene.inputs
def inputs(case, rng):
    if case["values"] == "constant":
        a = np.full(ELEMENTS, 2, np.float32)
        b = np.full(ELEMENTS, 3, np.float32)
    else:
        a, b = rng.uniform(-2, 2, (2, ELEMENTS)).astype(np.float32)
    # NaN: an element that no kernel writes is noticed.
    return {"a": a, "b": b, "f": np.full(ELEMENTS, np.nan, np.float32)}


@scene.golden
def golden(args, case):
    total = args["a"] + args["b"]
    return {"f": (total + 1) * (total + 2)}

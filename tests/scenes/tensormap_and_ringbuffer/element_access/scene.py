# SPDX-License-Identifier: Apache-2.0
"""Single elements of tensors, read and written by the orchestration between the tasks that use them."""

import numpy as np

from chiphost import In, InOut, Kernel, Out, Scene

CHECKS = 10

scene = Scene(
    description="an orchestration that reads and writes single elements: ten checks, and two sums around them",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/add.cpp", "aiv"),
        Kernel(1, "kernels/leave.cpp", "aiv"),
    ],
    signature=[
        In("a", "float32", (None,)),
        InOut("b", "float32", (None,)),
        Out("before", "float32", (None,)),
        Out("after", "float32", (None,)),
        Out("check", "float32", (CHECKS,)),
    ],
    config={"block_dim": 3, "aicpu_thread_num": 4},
    needs={"clusters": 1, "aicpu_threads": 1},
    cases={"default": {"elements": 16384}, "small": {"elements": 256}},
    rtol=1e-5,
    atol=1e-5,
)


@scene.inputs
def inputs(case, rng):
    a, b = rng.uniform(-2, 2, (2, case["elements"])).astype(np.float32)
    result = np.full(case["elements"], np.nan, np.float32)
    return {"a": a, "b": b, "before": result, "after": result.copy(), "check": np.full(CHECKS, np.nan, np.float32)}


@scene.golden
def golden(args, case):
    a, b = args["a"], args["b"]
    check = [a[3], a[0] + b[0], a[100] + b[100], 77, 77, 42, 10 + a[-1], 88, 55, a[128 + 9] + b[128 + 9] + 42]
    before = a + 2 * b
    after = before.copy()
    after[5] = a[5] + b[5] + 55
    after[-2] = 88 + b[-2]
    changed = b.copy()
    changed[5] = 55
    return {"b": changed, "before": before, "after": after, "check": np.array(check)}

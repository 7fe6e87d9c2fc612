# SPDX-License-Identifier: Apache-2.0
"""One task, a hundred that wait for it, and one that waits for all of them; twice."""

import numpy as np

from chiphost import In, Kernel, Out, Scalar, Scene

scene = Scene(
    description="a task that reads what 100 tasks have written",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/prepare.cpp", "aiv"),
        Kernel(1, "kernels/scale.cpp", "aiv"),
        Kernel(2, "kernels/add_rows.cpp", "aiv"),
    ],
    signature=[
        In("x", "float32", (None,)),
        Out("total", "float32", (2, None)),
        Scalar("parts"),
    ],
    config={"block_dim": 3, "aicpu_thread_num": 4},
    needs={"clusters": 1, "aicpu_threads": 1, "memory_bytes": 1 << 30},  # for the rings: as many tasks in one scope
    cases={
        "default": {"elements": 256, "parts": 100},
        "1000": {"elements": 64, "parts": 1000},
        "one": {"elements": 256, "parts": 1},
    },
    rtol=1e-4,
    atol=1e-4,
)


@scene.inputs
def inputs(case, rng):
    x = rng.uniform(1, 2, case["elements"]).astype(np.float32)
    return {"x": x, "total": np.full((2, case["elements"]), np.nan, np.float32), "parts": case["parts"]}


@scene.golden
def golden(args, case):
    parts = case["parts"]
    return {"total": np.stack([args["x"] * parts * (parts + 1)] * 2)}

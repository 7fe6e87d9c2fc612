# SPDX-License-Identifier: Apache-2.0
"""Chains of updates whose order matters, ordered by explicit edges within scopes and from scope to scope."""

import numpy as np

from chiphost import In, InOut, Kernel, Out, Scalar, Scene

scene = Scene(
    description="updates in a fixed order: explicit edges within scopes, between them and out of an open one",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/copy.cpp", "aiv"),
        Kernel(1, "kernels/update.cpp", "aiv"),
        Kernel(2, "kernels/add_rows.cpp", "aiv"),
    ],
    signature=[
        InOut("x", "uint32", (None, None)),
        In("addends", "uint32", (None, None)),
        Out("total", "uint32", (None,)),
        Scalar("hold"),
    ],
    config={"block_dim": 3, "aicpu_thread_num": 4},
    needs={"clusters": 1, "aicpu_threads": 1},
    cases={
        "default": {"rows": 5, "columns": 32, "steps": 30, "hold": False},
        "hold": {"rows": 5, "columns": 32, "steps": 30, "hold": True},
        "many_rows": {"rows": 70, "columns": 8, "steps": 3, "hold": False},  # the sum waits for 70 tasks
    },
    rtol=0,
    atol=0,
)


@scene.inputs
def inputs(case, rng):
    rows, columns, steps = case["rows"], case["columns"], case["steps"]
    return {
        "x": rng.integers(0, 2**32, (rows, columns), np.uint32),
        "addends": rng.integers(0, 2**32, (rows, steps), np.uint32),
        "total": np.zeros(columns, np.uint32),
        "hold": int(case["hold"]),
    }


@scene.golden
def golden(args, case):
    """After n steps v is 3^n v + the sum of 3^(n - 1 - s) * addends[s]."""
    steps = case["steps"]
    powers = np.array([pow(3, n, 2**32) for n in range(steps + 1)], np.uint64)
    x = args["x"] * powers[steps] + (args["addends"] * powers[steps - 1 :: -1]).sum(axis=1, keepdims=True)
    x %= 2**32
    total = (x * np.arange(1, case["rows"] + 1, dtype=np.uint64)[:, None]).sum(axis=0) % 2**32
    return {"x": x.astype(np.uint32), "total": total.astype(np.uint32)}

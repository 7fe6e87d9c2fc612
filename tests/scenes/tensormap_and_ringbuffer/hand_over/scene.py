# SPDX-License-Identifier: Apache-2.0
"""Tiles that a matrix core hands to both vector cores of its cluster, and gets back, while all three kernels run."""

import numpy as np

from chiphost import In, Kernel, Out, Scalar, Scene

scene = Scene(
    description="tiles handed from AIC to both AIVs and back, more of them than the queues between them hold",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/deal.cpp", "aic"),
        Kernel(1, "kernels/line.cpp", "aiv"),
        Kernel(2, "kernels/square.cpp", "aiv"),
    ],
    signature=[
        In("x", "float32", (None, None)),  # tiles, elements
        Out("out", "float32", (None, None)),
        Scalar("blocks"),
    ],
    config={"block_dim": 3, "aicpu_thread_num": 4},
    needs={"clusters": 1, "aicpu_threads": 1},
    cases={
        "default": {"tiles": 20, "elements": 1000, "blocks": 1},
        # More blocks than clusters; some of them deal fewer tiles than they may be ahead, and one none.
        "blocks": {"tiles": 20, "elements": 300, "blocks": 7},
        "few_tiles": {"tiles": 6, "elements": 300, "blocks": 7},
        "full_tiles": {"tiles": 6, "elements": 8192, "blocks": 1},  # the largest there are
        "tiny_tiles": {"tiles": 200, "elements": 1, "blocks": 2},
    },
    rtol=1e-5,
    atol=1e-5,
)


@scene.inputs
def inputs(case, rng):
    x = rng.uniform(-1, 1, (case["tiles"], case["elements"])).astype(np.float32)
    return {"x": x, "out": np.full_like(x, np.nan), "blocks": case["blocks"]}


@scene.golden
def golden(args, case):
    """1 + 3x - x^2 is 13/4 - (x - 3/2)^2; applied twice."""
    y = 3.25 - (args["x"] - 1.5) ** 2
    return {"out": 3.25 - (y - 1.5) ** 2}

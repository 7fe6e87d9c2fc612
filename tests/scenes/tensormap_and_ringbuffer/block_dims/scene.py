# SPDX-License-Identifier: Apache-2.0
"""Every kind of task on 1, 2, 7, 24 and 36 clusters: one, an odd number, and all of each chip."""

import numpy as np

from chiphost import In, InOut, Kernel, Out, Scene

LINE = 16  # floats in 64 bytes: cores do not write to each other's lines
AIC, AIV, MIX = 0, 1, 2
CORE_TYPES = {AIC: [0], AIV: [1], MIX: [0, 1, 1]}  # of the cores of a block
BLOCK_DIMS = [1, 2, 7, 24, 36]

scene = Scene(
    description="tasks on AIC, AIV and whole clusters, of fewer and more blocks than there are clusters in use",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/count_block.cpp", "aic", name="count_block_aic", defines=["ON_AIV=0"]),
        Kernel(1, "kernels/count_block.cpp", "aiv", name="count_block_aiv", defines=["ON_AIV=1"]),
    ],
    signature=[
        In("tasks", "int32", (None, 2)),  # kind, blocks
        InOut("lines", "float32", (None, LINE)),
        Out("clusters", "int32", (1,)),
    ],
    config={"aicpu_thread_num": 4},
    needs={"aicpu_threads": 1},
    cases={str(block_dim): {"block_dim": block_dim} for block_dim in BLOCK_DIMS},
    case_config={str(block_dim): {"block_dim": block_dim} for block_dim in BLOCK_DIMS},
    default_case="7",
    rtol=0,
    atol=0,
)


def tasks_of(case):
    """(kind, blocks): one block, fewer than the clusters or vector cores, as many, and more."""
    clusters = case["block_dim"]
    return [(kind, blocks) for blocks in (1, clusters, 2 * clusters, 5 * clusters + 1) for kind in (AIC, AIV, MIX)]


@scene.inputs
def inputs(case, rng):
    tasks = tasks_of(case)
    count = sum(blocks * len(CORE_TYPES[kind]) for kind, blocks in tasks)
    return {
        "tasks": np.array(tasks, np.int32),
        "lines": np.zeros((count, LINE), np.float32),
        "clusters": np.zeros(1, np.int32),
    }


@scene.golden
def golden(args, case):
    lines = [
        [block, blocks, core_type, 2] + [0] * (LINE - 4)
        for kind, blocks in tasks_of(case)
        for block in range(blocks)
        for core_type in CORE_TYPES[kind]
    ]
    return {"lines": np.array(lines, np.float64), "clusters": np.array([case["block_dim"]])}

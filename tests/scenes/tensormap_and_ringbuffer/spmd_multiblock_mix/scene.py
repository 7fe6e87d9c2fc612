# SPDX-License-Identifier: Apache-2.0
"""MIX tasks of several blocks: fewer than the clusters, as many, and more, which run in several rounds."""

import numpy as np

from chiphost import In, Kernel, Out, Scalar, Scene

CORES = 3  # AIC, AIV0, AIV1
LINE = 16  # floats in 64 bytes: cores do not write to each other's lines

scene = Scene(
    description="MIX tasks of 1 to 100 blocks, each of whose kernels writes the block's number",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/write_block.cpp", "aic", name="write_block_aic", defines=["FIRST_LINE=0"]),
        Kernel(1, "kernels/write_block.cpp", "aiv", name="write_block_aiv", defines=["FIRST_LINE=1"]),
    ],
    signature=[
        In("block_nums", "int32", (None,)),
        Out("output", "float32", (None, LINE)),
        Scalar("chained"),
    ],
    config={"block_dim": 24, "aicpu_thread_num": 4},
    needs={"clusters": 1, "aicpu_threads": 1},
    cases={
        # 24 clusters: some of them, half, all, and all of them twice.
        "Case1": {"block_nums": [2, 8, 12, 24, 48], "chained": True},
        "side_by_side": {"block_nums": [2, 8, 12, 24, 48], "chained": False},
        # One block, numbers next to the number of clusters, and many rounds of which the last is not full.
        "odd": {"block_nums": [1, 100, 23, 1, 25, 7], "chained": True},
        "odd_side_by_side": {"block_nums": [1, 100, 23, 1, 25, 7], "chained": False},
    },
    default_case="Case1",
    rtol=0,
    atol=0,
)


@scene.inputs
def inputs(case, rng):
    block_nums = np.array(case["block_nums"], np.int32)
    output = np.full((CORES * block_nums.sum(), LINE), np.nan, np.float32)  # a line that no kernel writes is noticed
    return {"block_nums": block_nums, "output": output, "chained": int(case["chained"])}


@scene.golden
def golden(args, case):
    output = np.zeros((sum(case["block_nums"]), CORES, LINE))
    output[:, :, 0] = np.concatenate([np.arange(blocks) for blocks in case["block_nums"]])[:, None]
    output[:, :, 1] = np.repeat(case["block_nums"], case["block_nums"])[:, None]
    output[:, 2, 2] = 1  # sub_block_id of AIV1
    return {"output": output.reshape(-1, LINE)}

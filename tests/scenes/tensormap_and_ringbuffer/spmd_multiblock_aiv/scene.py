# SPDX-License-Identifier: Apache-2.0
"""Vector tasks of several blocks: fewer than the cores, as many, and more, which run in several rounds."""

import numpy as np

from chiphost import In, Kernel, Out, Scalar, Scene

LINE = 16  # floats in 64 bytes: cores do not write to each other's lines

scene = Scene(
    description="vector tasks of 1 to 200 blocks, each of which writes its number",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[Kernel(0, "kernels/write_block.cpp", "aiv")],
    signature=[
        In("block_nums", "int32", (None,)),
        Out("output", "float32", (None, LINE)),
        Scalar("chained"),
    ],
    config={"block_dim": 24, "aicpu_thread_num": 4},
    needs={"clusters": 1, "aicpu_threads": 1},
    cases={
        # 24 clusters have 48 vector cores: some of them, half, all, and all of them twice.
        "Case1": {"block_nums": [4, 16, 24, 48, 96], "chained": True},
        "side_by_side": {"block_nums": [4, 16, 24, 48, 96], "chained": False},
        # One block, numbers next to the number of cores, and many rounds of which the last is not full.
        "odd": {"block_nums": [1, 200, 47, 1, 49, 7], "chained": True},
        "odd_side_by_side": {"block_nums": [1, 200, 47, 1, 49, 7], "chained": False},
    },
    default_case="Case1",
    rtol=0,
    atol=0,
)


@scene.inputs
def inputs(case, rng):
    block_nums = np.array(case["block_nums"], np.int32)
    output = np.full((block_nums.sum(), LINE), np.nan, np.float32)  # a line that no block writes is noticed
    return {"block_nums": block_nums, "output": output, "chained": int(case["chained"])}


@scene.golden
def golden(args, case):
    output = np.zeros((sum(case["block_nums"]), LINE))
    output[:, 0] = [block for blocks in case["block_nums"] for block in range(blocks)]
    output[:, 1] = [blocks for blocks in case["block_nums"] for _ in range(blocks)]
    return {"output": output}

# SPDX-License-Identifier: Apache-2.0
"""The questions of a kernel: which block it is, of how many, and which vector core of its cluster it runs on."""

import numpy as np

from chiphost import Kernel, Out, Scene

CORES = 3  # AIC, AIV0, AIV1
LINE = 16  # floats in 64 bytes: cores do not write to each other's lines

scene = Scene(
    description="block_idx, block_num and sub_block_id in the three kernels of one MIX task",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/write_context.cpp", "aic", name="write_context_aic", defines=["FIRST_LINE=0"]),
        Kernel(1, "kernels/write_context.cpp", "aiv", name="write_context_aiv", defines=["FIRST_LINE=1"]),
    ],
    signature=[Out("output", "float32", (CORES, LINE))],
    config={"block_dim": 24, "aicpu_thread_num": 4},
    needs={"clusters": 1, "aicpu_threads": 1},
    rtol=0,
    atol=0,
)


@scene.inputs
def inputs(case, rng):
    return {"output": np.full((CORES, LINE), np.nan, np.float32)}  # a line that no kernel writes is noticed


@scene.golden
def golden(args, case):
    output = np.zeros((CORES, LINE))
    output[:, 1] = 1  # block_num
    output[2, 2] = 1  # sub_block_id of AIV1
    return {"output": output}

# SPDX-License-Identifier: Apache-2.0
"""Attention of one query token per request over keys and values that lie in blocks of a shared cache."""

from pathlib import Path

from chiphost import Kernel, Scene

of_the_host = Scene.load(Path(__file__).parents[2] / "host_build_graph" / "paged_attention")
small = of_the_host.cases["Case1"]

scene = Scene(
    like=of_the_host,
    description="paged attention with an online softmax: the orchestration reads the block table, edges are inferred",
    orchestration="orchestration.cpp",
    kernels=[
        Kernel(0, "kernels/start.cpp", "aiv"),
        Kernel(1, "kernels/query_key.cpp", "aic"),
        Kernel(2, "kernels/softmax_block.cpp", "aiv"),
        Kernel(3, "kernels/probability_value.cpp", "aic"),
        Kernel(4, "kernels/online_update.cpp", "aiv"),
    ],
    config={"block_dim": 24, "aicpu_thread_num": 4},
    cases={
        "Case1": small | {"context_lens": [33]},
        "Case2": small | {"context_lens": [128]},
        "CaseVarSeq2": small | {"context_lens": [33, 17]},
        "CaseVarSeq4": small | {"context_lens": [33, 64, 128, 15]},
        "mixed": of_the_host.cases["mixed"],  # keys of two groups of heads are not contiguous in the cache
        # Heads for more than one tile.
        "tiles": {
            "context_lens": [29, 8],
            "heads": 150,
            "kv_heads": 1,
            "head_dim": 24,
            "block_size": 8,
            "max_model_len": 64,
            "scale": 0.25,
            "query_range": 2.0,
        },
    },
)

# SPDX-License-Identifier: Apache-2.0
"""../paged_attention with up to 16 requests to a task: kernels look up their blocks themselves."""

import runpy
from pathlib import Path

from chiphost import Kernel, Scene

single = runpy.run_path(str(Path(__file__).parents[1] / "paged_attention" / "scene.py"))
SMALL = single["SMALL"]

scene = Scene(
    description="paged attention for 16 requests at once: block table read by kernels, output without inferred edges",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/start.cpp", "aiv"),
        Kernel(1, "kernels/query_key.cpp", "aic"),
        Kernel(2, "kernels/softmax_block.cpp", "aiv"),
        Kernel(3, "kernels/probability_value.cpp", "aic"),
        Kernel(4, "kernels/online_update.cpp", "aiv"),
    ],
    signature=single["scene"].signature,
    config={"block_dim": 24, "aicpu_thread_num": 4},
    needs={"clusters": 1, "aicpu_threads": 1},
    cases={
        "Case1": SMALL | {"context_lens": [33]},
        "Case2": SMALL | {"context_lens": [31]},
        "Case3": SMALL | {"context_lens": [128]},
        "CaseVarSeq2": SMALL | {"context_lens": [33, 17]},
        "CaseVarSeq4": SMALL | {"context_lens": [33, 64, 128, 15]},
        "mixed": single["scene"].cases["mixed"],
        "tiles": single["scene"].cases["tiles"],
        # More requests than fit into one chunk, of 1 to 61 tokens; scores that differ.
        "chunks": SMALL | {"context_lens": [7 * i % 61 + 1 for i in range(21)], "scale": 0.25, "query_range": 2.0},
    },
    default_case="Case1",
    rtol=1e-2,
    atol=1e-2,
)
scene.inputs(single["inputs"])
scene.golden(single["golden"])

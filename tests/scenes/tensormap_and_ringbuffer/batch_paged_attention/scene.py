# SPDX-License-Identifier: Apache-2.0
"""../paged_attention with up to 16 requests to a task: kernels look up their blocks themselves."""

from pathlib import Path

from chiphost import Kernel, Scene

single = Scene.load(Path(__file__).parents[1] / "paged_attention")
small = single.cases["Case1"]

scene = Scene(
    like=single,
    description="paged attention for 16 requests at once: block table read by kernels, output without inferred edges",
    orchestration="orchestration.cpp",
    kernels=[
        Kernel(0, "kernels/start.cpp", "aiv"),
        Kernel(1, "kernels/query_key.cpp", "aic"),
        Kernel(2, "kernels/softmax_block.cpp", "aiv"),
        Kernel(3, "kernels/probability_value.cpp", "aic"),
        Kernel(4, "kernels/online_update.cpp", "aiv"),
    ],
    cases={
        "Case1": small,
        "Case2": small | {"context_lens": [31]},
        "Case3": small | {"context_lens": [128]},
        **{name: single.cases[name] for name in ("CaseVarSeq2", "CaseVarSeq4", "mixed", "tiles")},
        # More requests than fit into one chunk, of 1 to 61 tokens; scores that differ.
        "chunks": small | {"context_lens": [7 * i % 61 + 1 for i in range(21)], "scale": 0.25, "query_range": 2.0},
    },
)

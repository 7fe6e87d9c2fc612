# SPDX-License-Identifier: Apache-2.0
"""Attention of one query token per request over keys and values that lie in blocks of a shared cache."""

import numpy as np

from chiphost import In, Kernel, Out, Scalar, Scene

SMALL = {
    "heads": 16,
    "kv_heads": 1,
    "head_dim": 16,
    "block_size": 16,
    "max_model_len": 256,
    "scale": 1.0,
    "query_range": 0.5,
}

scene = Scene(
    description="paged attention with an online softmax: four tasks for each block of the cache",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/query_key.cpp", "aic"),
        Kernel(1, "kernels/softmax_block.cpp", "aiv"),
        Kernel(2, "kernels/probability_value.cpp", "aic"),
        Kernel(3, "kernels/online_update.cpp", "aiv"),
    ],
    signature=[
        In("query", "float16", (None, None, None)),  # batch, heads, head_dim
        In("key_cache", "float16", (None, None, None, None)),  # total_blocks, block_size, kv_heads, head_dim
        In("value_cache", "float16", (None, None, None, None)),
        In("block_table", "int32", (None, None)),  # batch, max_blocks: the blocks of each request, in order
        In("context_lens", "int32", (None,)),  # batch: tokens of each request
        Out("out", "float32", (None, None, None)),  # batch, heads, head_dim
        Scalar("scale", "float32"),
    ],
    config={"block_dim": 3, "aicpu_thread_num": 3},
    needs={"clusters": 1, "aicpu_threads": 1},
    cases={
        "Case1": SMALL | {"context_lens": [16]},
        "Case2": SMALL | {"context_lens": [64]},
        # Two requests, the second ends inside a block; two groups of heads; scores that differ enough for the scale and
        # the running maximum to matter.
        "mixed": {
            "context_lens": [64, 37],
            "heads": 16,
            "kv_heads": 2,
            "head_dim": 32,
            "block_size": 16,
            "max_model_len": 128,
            "scale": 0.25,
            "query_range": 2.0,
        },
    },
    default_case="Case1",
    rtol=1e-2,
    atol=1e-2,
)


@scene.inputs
def inputs(case, rng):
    context_lens = np.array(case["context_lens"], np.int32)
    batch = len(context_lens)
    block_size = case["block_size"]
    total_blocks = batch * -(-int(context_lens.max()) // block_size)
    query_shape = (batch, case["heads"], case["head_dim"])
    cache_shape = (total_blocks, block_size, case["kv_heads"], case["head_dim"])

    def uniform(limit, shape):
        return rng.uniform(-limit, limit, shape).astype(np.float16)

    return {
        "query": uniform(case["query_range"], query_shape),
        "key_cache": uniform(case["query_range"], cache_shape),
        "value_cache": uniform(1, cache_shape),
        "block_table": rng.integers(0, total_blocks, (batch, case["max_model_len"] // block_size), np.int32),
        "context_lens": context_lens,
        "out": np.full(query_shape, np.nan, np.float32),  # an element that no kernel writes is noticed
        "scale": case["scale"],
    }


@scene.golden
def golden(args, case):
    """Plain softmax attention over the tokens of each request, nothing online and nothing in blocks."""
    query = args["query"]
    batch, heads, head_dim = query.shape
    kv_heads = args["key_cache"].shape[2]
    out = np.empty((batch, heads, head_dim))
    for request, (blocks, tokens) in enumerate(zip(args["block_table"], args["context_lens"], strict=True)):
        # (tokens, kv_heads, head_dim): the request's blocks one after another, cut at its length
        key, value = (
            args[cache][blocks].reshape(-1, kv_heads, head_dim)[:tokens] for cache in ("key_cache", "value_cache")
        )
        for head in range(heads):
            kv_head = head // (heads // kv_heads)
            scores = key[:, kv_head] @ query[request, head] * args["scale"]
            weights = np.exp(scores - scores.max())
            out[request, head] = weights / weights.sum() @ value[:, kv_head]
    return {"out": out}

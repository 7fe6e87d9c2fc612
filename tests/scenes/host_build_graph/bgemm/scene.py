# SPDX-License-Identifier: Apache-2.0
"""Batched matrix product in tiles: C[m, n] = sum over k of A[m, k] @ B[k, n]."""

import numpy as np

from chiphost import In, InOut, Kernel, Scene

TILE = 64

scene = Scene(
    description="batched matrix product in 64x64 tiles: products on AIC, sums on AIV",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[
        Kernel(0, "kernels/gemm_tile.cpp", "aic"),
        Kernel(1, "kernels/add_tile.cpp", "aiv"),
    ],
    # Tile first: (batch, tile row, tile column, row in the tile, column in the tile). A tile is contiguous in memory.
    signature=[
        In("a", "float32", (None, None, None, TILE, TILE)),
        In("b", "float32", (None, None, None, TILE, TILE)),
        InOut("c", "float32", (None, None, None, TILE, TILE)),  # starts as zeros
    ],
    config={"block_dim": 24, "aicpu_thread_num": 3},
    needs={"clusters": 1, "aicpu_threads": 1},
    cases={
        "default": {"batch": 1, "m": 4, "n": 4, "k": 4, "scale": 0.01},
        # No two sizes equal and values far above the tolerance: confused indices are noticed.
        "rectangular": {"batch": 2, "m": 1, "n": 3, "k": 4, "scale": 1.0},
    },
    rtol=1e-3,
    atol=1e-3,
)


@scene.inputs
def inputs(case, rng):
    batch, m, n, k = case["batch"], case["m"], case["n"], case["k"]

    def tiles(rows, columns):
        values = rng.standard_normal((batch, rows, columns, TILE, TILE))
        return (values * case["scale"]).astype(np.float32)

    return {"a": tiles(m, k), "b": tiles(k, n), "c": np.zeros((batch, m, n, TILE, TILE), np.float32)}


@scene.golden
def golden(args, case):
    # i, j: tile row and column of C; k: the tiles that are summed over; r, x, s: inside a tile.
    return {"c": args["c"] + np.einsum("bikrx,bkjxs->bijrs", args["a"], args["b"], optimize=True)}

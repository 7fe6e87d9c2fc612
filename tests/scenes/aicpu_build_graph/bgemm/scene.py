# SPDX-License-Identifier: Apache-2.0
"""Batched matrix product in tiles: C[m, n] = sum over k of A[m, k] @ B[k, n]."""

from pathlib import Path

from chiphost import Kernel, Scene

scene = Scene(
    like=Scene.load(Path(__file__).parents[2] / "host_build_graph" / "bgemm"),
    description="batched matrix product in 64x64 tiles: products on AIC, sums on AIV, a scope for each tile",
    orchestration="orchestration.cpp",
    kernels=[Kernel(0, "kernels/gemm_tile.cpp", "aic"), Kernel(1, "kernels/add_tile.cpp", "aiv")],
    config={"block_dim": 3, "aicpu_thread_num": 4},
)

# SPDX-License-Identifier: Apache-2.0
"""Batched matrix product in tiles: C[m, n] = sum over k of A[m, k] @ B[k, n], edges inferred from views of C."""

from pathlib import Path

from chiphost import Kernel, Scene

of_the_host = Scene.load(Path(__file__).parents[2] / "host_build_graph" / "bgemm")

# A step is two tasks on a2a3 (kernels 0 and 1) and one MIX task on a5 (2 and 3). ../bgemm_mix is the latter on a2a3.
scene = Scene(
    like=of_the_host,
    description="batched matrix product in 64x64 tiles: products on AIC, sums on AIV; on a5 in one MIX task",
    orchestration="orchestration.cpp",
    kernels=[
        Kernel(0, "kernels/gemm_tile.cpp", "aic"),
        Kernel(1, "kernels/add_tile.cpp", "aiv"),
        Kernel(2, "kernels/gemm_push.cpp", "aic"),
        Kernel(3, "kernels/pop_add.cpp", "aiv"),
    ],
    config={"block_dim": 3, "aicpu_thread_num": 4},
    cases={**of_the_host.cases, "default": {**of_the_host.cases["default"], "batch": 2}},
)

# SPDX-License-Identifier: Apache-2.0
"""Batched matrix product in tiles: C[m, n] = sum over k of A[m, k] @ B[k, n], edges inferred from views of C."""

from pathlib import Path

from chiphost import Kernel, Scene

with_edges = Scene.load(Path(__file__).parents[2] / "aicpu_build_graph" / "bgemm")

# A step is two tasks on a2a3 (kernels 0 and 1) and one MIX task on a5 (2 and 3). ../bgemm_mix is the latter on a2a3.
scene = Scene(
    like=with_edges,
    description="batched matrix product in 64x64 tiles: products on AIC, sums on AIV; on a5 in one MIX task",
    orchestration="orchestration.cpp",
    kernels=[
        *with_edges.programs[0].kernels,
        Kernel(2, "kernels/gemm_push.cpp", "aic"),
        Kernel(3, "kernels/pop_add.cpp", "aiv"),
    ],
    cases={**with_edges.cases, "default": {**with_edges.cases["default"], "batch": 2}},
)

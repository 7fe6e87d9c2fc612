# SPDX-License-Identifier: Apache-2.0
"""The product of ../bgemm with one MIX task for each step: the AIC hands its product to the vector cores."""

import runpy
from pathlib import Path

from chiphost import Kernel, Scene

bgemm = runpy.run_path(str(Path(__file__).parents[1] / "bgemm" / "scene.py"))

scene = Scene(
    description="batched matrix product in 64x64 tiles: one MIX task a step, products handed from AIC to AIV",
    orchestration="../bgemm/orchestration_mix.cpp",
    entry="build_graph",
    kernels=[
        Kernel(2, "../bgemm/kernels/gemm_push.cpp", "aic"),
        Kernel(3, "../bgemm/kernels/pop_add.cpp", "aiv"),
    ],
    signature=bgemm["scene"].signature,
    config=bgemm["scene"].config,
    needs=bgemm["scene"].needs,
    cases=bgemm["scene"].cases,
    platforms=["a2a3sim"],  # on a5 it is ../bgemm itself
    rtol=1e-3,
    atol=1e-3,
)
scene.inputs(bgemm["inputs"])
scene.golden(bgemm["golden"])

# SPDX-License-Identifier: Apache-2.0
"""The product of ../bgemm with one MIX task for each step: the AIC hands its product to the vector cores."""

from pathlib import Path

from chiphost import Kernel, Scene

scene = Scene(
    like=Scene.load(Path(__file__).parents[1] / "bgemm"),
    description="batched matrix product in 64x64 tiles: one MIX task a step, products handed from AIC to AIV",
    orchestration="../bgemm/orchestration_mix.cpp",
    kernels=[
        Kernel(2, "../bgemm/kernels/gemm_push.cpp", "aic"),
        Kernel(3, "../bgemm/kernels/pop_add.cpp", "aiv"),
    ],
    platforms=["a2a3sim"],  # on a5 it is ../bgemm itself
)

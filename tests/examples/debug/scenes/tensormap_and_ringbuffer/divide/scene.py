# SPDX-License-Identifier: Apache-2.0
"""Divides a number, in a runtime whose orchestration runs on the AICPU."""

from pathlib import Path

from chiphost import Kernel, Scene

scene = Scene(
    like=Scene.load(Path(__file__).parents[2] / "host_build_graph" / "divide"),
    orchestration="orchestration.cpp",
    kernels=[Kernel(0, "kernel.cpp", "aiv")],
)

# SPDX-License-Identifier: Apache-2.0
"""Crashes in the way that the case says, in a runtime whose orchestration runs on the AICPU."""

from pathlib import Path

from chiphost import Scene

scene = Scene(
    like=Scene.load(Path(__file__).parents[2] / "host_build_graph" / "crash"),  # with its kernel
    orchestration="orchestration.cpp",
)

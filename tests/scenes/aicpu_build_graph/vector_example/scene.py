# SPDX-License-Identifier: Apache-2.0
"""f = (a + b + 1) * (a + b + 2) on vectors: four tasks in a diamond, built on the AICPU with explicit edges."""

from pathlib import Path

from chiphost import Kernel, Scene

scene = Scene(
    like=Scene.load(Path(__file__).parents[2] / "host_build_graph" / "vector_example"),
    description="f = (a + b + 1) * (a + b + 2): four vector tasks, built on the AICPU with explicit edges",
    orchestration="orchestration.cpp",
    kernels=[
        Kernel(0, "kernels/add.cpp", "aiv"),
        Kernel(1, "kernels/add_scalar.cpp", "aiv"),
        Kernel(2, "kernels/multiply.cpp", "aiv"),
    ],
    config={"block_dim": 3, "aicpu_thread_num": 4},
)

# SPDX-License-Identifier: Apache-2.0
"""f = (a + b + 1) * (a + b + 2) + (a + b) on vectors: the smallest scene, five tasks whose edges are inferred."""

from pathlib import Path

from chiphost import Kernel, Scene

# With a = 2 and b = 3, as in its default case, f is 47 everywhere.
scene = Scene(
    like=Scene.load(Path(__file__).parents[2] / "host_build_graph" / "vector_example"),
    description="f = (a + b + 1) * (a + b + 2) + (a + b): five vector tasks with inferred edges, nested scopes",
    orchestration="orchestration.cpp",
    kernels=[
        Kernel(0, "kernels/add.cpp", "aiv"),
        Kernel(1, "kernels/add_scalar.cpp", "aiv"),
        Kernel(2, "kernels/multiply.cpp", "aiv"),
    ],
    config={"block_dim": 3, "aicpu_thread_num": 4},
    rounds=2,
)


@scene.golden
def golden(args, case):
    total = args["a"] + args["b"]
    return {"f": total**2 + 4 * total + 2}

# SPDX-License-Identifier: Apache-2.0
"""f = (a + b + 1) * (a + b + 2) + (a + b) on vectors: the smallest scene, five tasks whose edges are inferred."""

from pathlib import Path

from chiphost import Scene

# With a = 2 and b = 3, as in its default case, f is 47 everywhere.
scene = Scene(
    like=Scene.load(Path(__file__).parents[2] / "aicpu_build_graph" / "vector_example"),  # with its kernels
    description="f = (a + b + 1) * (a + b + 2) + (a + b): five vector tasks with inferred edges, nested scopes",
    orchestration="orchestration.cpp",
    rounds=2,
)


@scene.golden
def golden(args, case):
    total = args["a"] + args["b"]
    return {"f": total**2 + 4 * total + 2}

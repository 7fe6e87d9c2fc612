# SPDX-License-Identifier: Apache-2.0
"""../paged_attention ten times on one worker: what a run leaves behind must not show in the next one."""

import dataclasses
import runpy
from pathlib import Path

from chiphost import Scene

once = runpy.run_path(str(Path(__file__).parents[1] / "paged_attention" / "scene.py"))

scene = Scene(
    description="paged attention ten times on one worker, with fresh outputs each time",
    orchestration="../paged_attention/orchestration.cpp",
    entry="build_graph",
    kernels=[
        dataclasses.replace(kernel, source=Path("../paged_attention") / kernel.source)
        for kernel in once["scene"].programs[0].kernels
    ],
    signature=once["scene"].signature,
    config=once["scene"].config,
    needs=once["scene"].needs,
    cases=once["scene"].cases,
    default_case="Case1",
    rtol=1e-2,
    atol=1e-2,
    rounds=10,
)
scene.inputs(once["inputs"])
scene.golden(once["golden"])

# SPDX-License-Identifier: Apache-2.0
"""../paged_attention ten times on one worker: what a run leaves behind must not show in the next one."""

from pathlib import Path

from chiphost import Scene

scene = Scene(
    like=Scene.load(Path(__file__).parents[1] / "paged_attention"),
    description="paged attention ten times on one worker, with fresh outputs each time",
    rounds=10,
)

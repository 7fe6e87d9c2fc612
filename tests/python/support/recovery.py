# SPDX-License-Identifier: Apache-2.0
"""Checks by a scene that everything goes on after an error: on the worker that had it, and on the others."""

from __future__ import annotations

from functools import cache

from checkout import SCENES

import chiphost as ch
from chiphost.scenes import catalog
from chiphost.scenes import programs as scene_programs
from chiphost.scenes.results import Settings
from chiphost.scenes.run import Tally, run_case


@cache
def scene_of(runtime: str, platform: str) -> tuple[ch.Scene, tuple[ch.ChipCallable, ...]]:
    """A scene of the runtime, compiled; once, as later a test may have broken the compiler or the cache."""
    entry = catalog.find(SCENES, "vector_example", runtime=runtime)
    programs = scene_programs.compile_scenes([entry], platform)[entry.name]
    assert entry.scene is not None
    assert not isinstance(programs, Exception)
    return entry.scene, programs


def run_scene(worker: ch.ChipWorker) -> None:
    """Run a scene of the worker's runtime, and check its results."""
    assert worker.runtime is not None
    assert worker.platform is not None
    scene, programs = scene_of(worker.runtime, worker.platform)
    tally = Tally()
    run_case(worker, scene, programs, next(iter(scene.cases)), Settings(worker.platform), tally)
    assert tally.rounds == scene.rounds


def goes_on(worker: ch.ChipWorker, other: ch.ChipWorker) -> None:
    """Show that all goes on after an error of `worker`: `other` runs a scene, then `worker`, also after a reset."""
    runtime, platform, isolation = worker.runtime, worker.platform, worker.isolation
    assert runtime is not None
    assert platform is not None
    run_scene(other)
    worker.reset()
    worker.init(runtime, platform, isolation=isolation)
    run_scene(worker)

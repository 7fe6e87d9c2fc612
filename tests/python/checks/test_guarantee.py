# SPDX-License-Identifier: Apache-2.0
"""No finding means that every order gives the same bytes, and a race that there is one which gives others."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from cell_programs import HOST, INFERRED, random_cell_program, write_cell_programs

from chiphost import ChipWorker
from chiphost._explore.driver import Budget, Plan, explore
from chiphost._explore.subject import Subject
from chiphost.scenes import catalog
from chiphost.scenes.programs import compile_scenes

PROGRAMS = 40
SCHEDULES = 2000  # of each that is found right, and at most of each that is found wrong


@pytest.mark.parametrize("runtime", [HOST, INFERRED])
def test_a_check_and_all_orders_agree(tmp_path: Path, runtime: str) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    programs = {f"program{number}": random_cell_program(rng, runtime) for number in range(PROGRAMS)}
    entry = catalog.find(tmp_path, write_cell_programs(tmp_path, runtime, programs))
    scene = entry.scene
    assert scene is not None
    compiled = compile_scenes([entry], "a2a3sim")[entry.name]
    assert not isinstance(compiled, Exception), compiled
    right = wrong = schedules = 0
    with ChipWorker(runtime, "a2a3sim") as worker:
        for case, program in programs.items():
            arguments = scene.arguments_of(scene.programs[0], scene.make_args(case, 0))
            config = scene.config_of(case)
            found = worker.run(compiled[0], arguments, check="races,declared,memory,init", **config).findings
            assert {each.check for each in found} <= {"races"}
            assert bool(found) == program.has_race(), program

            def differs(strategy: str, level: str, budget: int, case: str = case) -> bool:
                nonlocal schedules
                subject = Subject(worker, scene, compiled, case, scene.config_of(case))
                explored = explore(subject, Plan(strategy, level, seed=seed, budget=Budget(schedules=budget)))
                schedules += explored.counts.schedules
                return explored.failure is not None

            if not found:
                right += 1
                assert not differs("exhaustive", "tasks", SCHEDULES), program
                assert not differs("random", "steps", SCHEDULES), program
            else:
                wrong += 1
                assert any(differs(each, "tasks", SCHEDULES) for each in ("exhaustive", "pos", "random")), program
    print(f"{right} right, {wrong} wrong, {schedules} schedules")
    assert right > 0 and wrong > 0
    assert schedules > right * SCHEDULES

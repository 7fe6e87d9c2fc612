# SPDX-License-Identifier: Apache-2.0
"""chiphost's own scenes, run: their names and sizes, and tests that they notice broken parts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from checkout import SCENES

import chiphost as ch
from chiphost.scene import Scene
from chiphost.scenes.catalog import Entry
from chiphost.scenes.programs import compile_scenes
from chiphost.scenes.results import Settings
from chiphost.scenes.run import Tally, run_case

HBG, ABG, TMR = "host_build_graph", "aicpu_build_graph", "tensormap_and_ringbuffer"
PLATFORMS = ("a2a3sim", "a5sim")
TIMEOUT_S = 300

# The scenes of the examples by which other runtimes are compared: by platform, with the tasks of the default case.
EXAMPLES = {
    "a2a3sim": {
        f"{ABG}/vector_example": 4,
        f"{ABG}/bgemm": 128,
        f"{HBG}/vector_example": 4,
        f"{HBG}/bgemm": 128,
        f"{HBG}/matmul": 4,
        f"{HBG}/paged_attention": 4,
        f"{TMR}/vector_example": 5,
        f"{TMR}/bgemm": 256,
        f"{TMR}/mixed_example": 20,
        f"{TMR}/paged_attention": 13,
        f"{TMR}/batch_paged_attention": 13,
        f"{TMR}/multi-round-paged-attention": 13,
        f"{TMR}/spmd_basic": 1,
        f"{TMR}/spmd_multiblock_aiv": 5,
        f"{TMR}/spmd_multiblock_mix": 5,
    },
    "a5sim": {
        f"{HBG}/paged_attention": 4,
        f"{TMR}/bgemm": 128,
        f"{TMR}/mixed_example": 20,
        f"{TMR}/paged_attention": 13,
        f"{TMR}/spmd_basic": 1,
        f"{TMR}/spmd_multiblock_aiv": 5,
        f"{TMR}/spmd_multiblock_mix": 5,
    },
}

# A block of attention is four tasks, and a request (of a chunk of requests) has one to start with on the AICPU.
ATTENTION = {"Case1": 13, "Case2": 33, "CaseVarSeq2": 22, "CaseVarSeq4": 68, "mixed": 60, "tiles": 44}
# Tasks of every case of every scene on both platforms.
TASKS: dict[str, dict[str, int]] = {
    f"{ABG}/bgemm": {"default": 128, "rectangular": 48},
    f"{ABG}/explicit_edges": {"default": 301, "hold": 301, "many_rows": 491},
    f"{ABG}/vector_example": {"default": 4, "random": 4},
    f"{HBG}/bgemm": {"default": 128, "rectangular": 48},
    f"{HBG}/matmul": {"default": 4, "random": 4},
    f"{HBG}/paged_attention": {"Case1": 4, "Case2": 16, "mixed": 56},
    f"{HBG}/vector_example": {"default": 4, "random": 4},
    f"{TMR}/batch_paged_attention": {
        "Case1": 13, "Case2": 9, "Case3": 33, "CaseVarSeq2": 13, "CaseVarSeq4": 33,
        "chunks": 34, "mixed": 34, "tiles": 34,
    },
    f"{TMR}/bgemm": {"default": 256, "rectangular": 48},
    f"{TMR}/bgemm_mix": {"default": 128, "rectangular": 24},
    f"{TMR}/block_dims": {"1": 24, "2": 24, "7": 24, "24": 24, "36": 24},
    f"{TMR}/element_access": {"default": 7, "small": 7},
    f"{TMR}/hand_over": {"default": 2, "blocks": 2, "few_tiles": 2, "full_tiles": 2, "tiny_tiles": 2},
    f"{TMR}/mixed_example": {"case1": 20, "case2": 5, "large_values": 15},
    f"{TMR}/multi-round-paged-attention": ATTENTION,
    # 1 + 40 painters, 20 of them behind 3 copies; 2 * 200 copies, 48 tiles, the reader and the writer of them all
    f"{TMR}/overlapping_writers": {"default": 551, "mixed": 551, "rows": 551},
    f"{TMR}/paged_attention": ATTENTION,
    f"{TMR}/several_callables": {"default": 3},
    f"{TMR}/small_rings": {
        "flat": 900, "flat_with_rest": 900, "nested": 900, "nested_with_rest": 900, "whole_heap": 150,
    },
    f"{TMR}/spmd_basic": {"default": 1},
    f"{TMR}/spmd_multiblock_aiv": {"Case1": 5, "side_by_side": 5, "odd": 6, "odd_side_by_side": 6},
    f"{TMR}/spmd_multiblock_mix": {"Case1": 5, "side_by_side": 5, "odd": 6, "odd_side_by_side": 6},
    f"{TMR}/vector_example": {"default": 5, "random": 5},
    # 1 + 2 * 200 copies + 2 * (parts + 1)
    f"{TMR}/wide_fan_in": {"default": 603, "1000": 2403, "one": 405},
    # rounds * (2 * bands + 2)
    f"{TMR}/write_after_read": {"default": 72, "one_band": 80},
}  # fmt: skip


def tasks_on(platform: str) -> dict[str, dict[str, int | None]]:
    """Tasks by scene and case, None for what is skipped; a step of bgemm on a5 is one task, not two."""
    tasks: dict[str, dict[str, int | None]] = {name: {**cases} for name, cases in TASKS.items()}
    if platform == "a5sim":
        tasks[f"{TMR}/bgemm"] = tasks[f"{TMR}/bgemm_mix"]
        tasks[f"{TMR}/bgemm_mix"] = dict.fromkeys(TASKS[f"{TMR}/bgemm_mix"])
    else:
        tasks[f"{TMR}/block_dims"]["36"] = None  # the chip has 24 clusters
    return tasks


@pytest.mark.parametrize("mode", [[], ["--parallel"]], ids=["serial", "parallel"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_ci_of_chiphost_s_own_scenes(tmp_path: Path, platform: str, mode: list[str]) -> None:
    report = tmp_path / "report.json"
    words = [sys.executable, "-m", "chiphost", "ci", "-p", platform, "--scenes", SCENES, "--json", report, *mode]
    child = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, env=dict(os.environ))
    assert child.returncode == 0, child.stdout + child.stderr
    tasks = tasks_on(platform)
    *rows, took, last = child.stdout.splitlines()
    skipped = [name for name, cases in tasks.items() if not any(cases.values())]
    passed = len(tasks) - len(skipped)
    counts = f"Total: {len(tasks)}  Passed: {passed}  Failed: 0"
    assert last == (f"{counts}  Skipped: {len(skipped)}" if skipped else counts)
    assert [row.split()[:2] for row in rows if row[0] != " "] == [
        ["SKIP" if name in skipped else "PASS", name] for name in sorted(tasks)
    ]
    reason = {
        "a2a3sim": "case '36' skipped: needs 36 clusters, a2a3sim has 24",
        "a5sim": "is for a2a3sim, not for a5sim",
    }[platform]
    assert [row.strip() for row in rows if row[0] == " "] == [reason]
    assert took.startswith("Time: ")

    content = json.loads(report.read_text())
    assert (content["total"], content["passed"], content["failed"]) == (len(tasks), passed, 0)
    scenes = {scene["name"]: scene for scene in content["scenes"]}
    assert all(scene["passed"] == (name not in skipped) for name, scene in scenes.items())
    assert all(scene["platform"] == platform for scene in scenes.values())
    assert {name: {case["case"]: case["tasks"] for case in scene["cases"]} for name, scene in scenes.items()} == tasks
    for name, count in EXAMPLES[platform].items():
        scene = Scene.load(SCENES / name)
        assert tasks[name][scene.default_case] == count, name
        assert {case["rounds"] for case in scenes[name]["cases"]} == {scene.rounds}, name


# Scenes whose edges are all that orders a result: without them they must fail. Each entry: (old text, new text), the
# cases that have no other edges, and the outputs in which that shows.
WAR_ROUND = MappingProxyType({"rounds": 1, "bands": 5, "band_rows": 16, "columns": 64})
NO_EDGES: dict[str, tuple[str, list[tuple[str, str]], dict[str, Any], set[str]]] = {
    # One round: the writers come after readers of the old content. Nobody reads what they write.
    "write after read": (
        "write_after_read",
        [("writer.output(x.view(", "writer.no_dep(x.view(")],
        {"one_round": WAR_ROUND},
        {"results"},
    ),
    # No task reads a box or the wall before all are painted; the canvas is looked at when the run is over.
    "write after write, boxes": (
        "overlapping_writers",
        [("painter.output(box)", "painter.no_dep(box)")],
        {},
        {"picture"},
    ),
    "write after write, wall": (
        "overlapping_writers",
        [("whole.output(wall)", "whole.no_dep(wall)")],
        {},
        {"wall", "photo"},
    ),
}


@pytest.mark.parametrize("what", NO_EDGES)
def test_a_scheduler_without_these_edges_is_noticed(tmp_path: Path, what: str) -> None:
    """The scene's tasks with arguments from which no edge is inferred: wrong in every order of tasks."""
    name, changes, cases, outputs = NO_EDGES[what]
    folder = shutil.copytree(SCENES / TMR / name, tmp_path / TMR / name)
    right = Entry(f"{TMR}/right", SCENES / TMR / name, Scene.load(SCENES / TMR / name), None)
    source = folder / "orchestration.cpp"
    for old, new in changes:
        assert source.read_text().count(old) == 1
        source.write_text(source.read_text().replace(old, new))
    wrong = Entry(f"{TMR}/wrong", folder, Scene.load(folder), None)
    programs = compile_scenes([right, wrong], "a2a3sim")
    with ch.ChipWorker(TMR) as worker:
        for entry in (right, wrong):
            scene, compiled = entry.scene, programs[entry.name]
            assert scene is not None and not isinstance(compiled, Exception)
            scene.cases.update(cases)
            for seed in (0, 1, 2, 3, 17, 2**40):
                for case in cases or ["default", "rows"]:
                    run = (worker, scene, compiled, case, Settings("a2a3sim", seed=seed, rounds=1), Tally())
                    if entry is right:
                        run_case(*run)
                        continue
                    with pytest.raises(ch.SceneError) as caught:
                        run_case(*run)
                    assert caught.value.name == "GOLDEN_MISMATCH"
                    named = {line.partition(":")[0] for line in caught.value.message.splitlines() if line[0] != " "}
                    assert named <= outputs and named, caught.value.message


# Kernels that may do nothing: (scene, kernel), by platform.
IDLE = {
    "a2a3sim": {("bgemm", "gemm_push"), ("bgemm", "pop_add"), ("element_access", "leave")},
    "a5sim": {("bgemm", "add_tile"), ("bgemm", "gemm_tile")},
}


# The end of a scene.py: a file of its own in place of the one with that name that it takes from another scene.
OWN_KERNEL = """
import dataclasses

[program] = scene.programs
kernels = [
    dataclasses.replace(kernel, source="{file}") if Path(kernel.source).name == Path("{file}").name else kernel
    for kernel in program.kernels
]
scene.programs = (dataclasses.replace(program, kernels=kernels),)
"""


@pytest.mark.parametrize(("platform", "text"), [("a2a3sim", "__"), ("a5sim", f"{TMR}/bgemm__")])
def test_a_kernel_that_does_nothing_is_noticed(tmp_path: Path, platform: str, text: str) -> None:
    """For every kernel of every scene with an orchestration of its own: the scene with that kernel empty."""
    root = shutil.copytree(SCENES, tmp_path / "scenes")
    kernels = {}
    for original in sorted({file.parent for file in SCENES.glob("*/*/*.cpp")}):
        for source in {Path(kernel.source) for each in Scene.load(original).programs for kernel in each.kernels}:
            runtime, scene, kernel = original.parent.name, original.name, source.stem
            folder = shutil.copytree(original, root / runtime / f"{scene}__{kernel}")
            code = source.read_text()
            start = code.index("{", code.index("void kernel_entry(")) + 1
            empty = folder / "kernels" / source.name
            empty.parent.mkdir(exist_ok=True)
            empty.write_text(f"{code[:start]}\n    return;\n{code[start:]}")
            if original not in source.parents:
                with (folder / "scene.py").open("a") as scene_file:
                    scene_file.write(OWN_KERNEL.format(file=f"kernels/{source.name}"))
            kernels[f"{runtime}/{folder.name}"] = (scene, kernel)
    report = tmp_path / "report.json"
    words = [sys.executable, "-m", "chiphost", "ci", "-p", platform, "--scenes", root, "-k", text, "--json", report]
    child = subprocess.run([*words, "--parallel"], capture_output=True, text=True, timeout=TIMEOUT_S)
    assert child.returncode == 1, child.stdout + child.stderr
    scenes = json.loads(report.read_text())["scenes"]
    assert {scene["name"] for scene in scenes} == {name for name in kernels if text in name}
    passed = {kernels[scene["name"]] for scene in scenes if scene["passed"]}
    assert passed == IDLE[platform]
    for scene in scenes:
        if not scene["passed"]:
            assert "GOLDEN_MISMATCH" in scene["error"] or "STALLED" in scene["error"], scene["error"]

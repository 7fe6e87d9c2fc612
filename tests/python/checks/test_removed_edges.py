# SPDX-License-Identifier: Apache-2.0
"""Every edge of every scene is removed in turn; whatever leaves two tasks without an order is reported in one run."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import pytest
from checkout import SCENES
from support import removed_edges
from support.removed_edges import Graph

import chiphost as ch
from chiphost import compiler
from chiphost.checks.check_names import ALL_BITS
from chiphost.scene import copy_args
from chiphost.scenes import catalog

PLATFORMS = ("a2a3sim", "a5sim")
RACES = 1
# So many edges of a case are removed, chosen at random; all of them with CHIPHOST_TEST_ALL_EDGES=1.
REMOVED_MAX = 40
ALL = bool(os.environ.get("CHIPHOST_TEST_ALL_EDGES"))
# Tasks of these scenes declare more than they touch, so that an edge may be missing where nobody meets.
DECLARES_MORE = {
    "tensormap_and_ringbuffer/element_access",
    "tensormap_and_ringbuffer/spmd_multiblock_aiv",
    "tensormap_and_ringbuffer/spmd_multiblock_mix",
    "tensormap_and_ringbuffer/write_after_read",
    "tensormap_and_ringbuffer/overlapping_writers",
}
NAMES = [name for name, _ in catalog.scenes_in(SCENES)]
# The scenes take turns on the chips; with CHIPHOST_TEST_ALL_EDGES=1 each of them is run on both.


def _on() -> list[tuple[str, str]]:
    chosen = []
    for number, name in enumerate(NAMES):
        scene = catalog.find(SCENES, name).scene
        assert scene is not None
        able = [chip for chip in PLATFORMS if not all(scene.not_for(chip, case) for case in scene.usual_cases)]
        chosen += [(name, chip) for chip in (able if ALL else [able[number % len(able)]])]
    return chosen


class Removals:
    """One case of a scene, to be run with one edge less."""

    def __init__(self, name: str, platform: str, folder: Any) -> None:
        self.entry = catalog.find(SCENES, name, platform=platform)
        assert self.entry.scene is not None
        self.scene = self.entry.scene
        self.log = folder / "log"
        plain = removed_edges.build(self.scene, folder, platform)
        self.programs = [compiler.checked(program).callable for program in plain]
        self.case = next(case for case in self.scene.usual_cases if not self.scene.not_for(platform, case))
        # The environment is the process's, so the orchestration must have its C library.
        self.worker = ch.ChipWorker(self.scene.runtime, platform, isolation="copy")
        self.config = {**self.scene.config_of(self.case, self.worker.chip), "seed": 0}
        self.inputs = self.scene.make_args(self.case, 0)

    def graphs(self) -> list[Graph]:
        """What each program does when it forgets nothing."""
        graphs = []
        for program in range(len(self.programs)):
            assert self.run(program, -1, log=True, check=ALL_BITS)["findings"] == []
            lines = self.log.read_text().splitlines()
            if self.scene.runtime == "host_build_graph":
                graphs.append(Graph.of_host(lines, self.scene.folder.name))
            else:
                graphs.append(Graph.of_device(lines, self.scene.runtime == "tensormap_and_ringbuffer"))
        return graphs

    def run(self, program: int, removed: int, log: bool = False, check: int = RACES) -> dict[str, Any]:
        """The report of a run without an edge."""
        removed_edges.set_removed(removed, self.log if log else None)
        args = copy_args(self.inputs)
        for earlier in range(program):
            self._run(earlier, args, 0)
        return json.loads(self._run(program, args, check).check_report)

    def _run(self, program: int, args: Any, check: int) -> Any:
        values = self.scene.arguments_of(self.scene.programs[program], args)
        config = ch.CallConfig(**self.config, check=check)
        return self.worker._worker.run(self.programs[program]._core, values, config)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "platform"), _on())
def test_a_missing_edge_is_reported_in_one_run(name, platform, tmp_path, monkeypatch):
    monkeypatch.setenv("CHIPHOST_TEST_REMOVE", "")
    monkeypatch.setenv("CHIPHOST_TEST_LOG", "")
    removals = Removals(name, platform, tmp_path)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    wrong, lacking = [], 0
    with removals.worker:
        for program, graph in enumerate(removals.graphs()):
            assert not graph.lacks_order(-1), "the whole graph is in order"
            numbers = range(graph.removals)
            if not ALL:
                numbers = random.Random(seed).sample(numbers, min(REMOVED_MAX, graph.removals))
            for number in numbers:
                expected = graph.lacks_order(number)
                found = bool(removals.run(program, number)["findings"])
                lacking += expected
                if found != expected and not (expected and name in DECLARES_MORE):
                    wrong.append((program, number, expected))
    print(f"{name}: {lacking} removals leave tasks without an order")
    assert wrong == []

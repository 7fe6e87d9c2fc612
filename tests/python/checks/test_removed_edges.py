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
from chiphost.scene import copy_args
from chiphost.scenes import catalog

PLATFORM = "a2a3sim"
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


class Removals:
    """One case of a scene, to be run with one edge less."""

    def __init__(self, name: str, folder: Any) -> None:
        self.entry = catalog.find(SCENES, name, platform=PLATFORM)
        assert self.entry.scene is not None
        self.scene = self.entry.scene
        self.log = folder / "log"
        plain = removed_edges.build(self.scene, folder, PLATFORM)
        self.programs = [compiler.checked(program).callable for program in plain]
        self.case = next(case for case in self.scene.usual_cases if not self.scene.not_for(PLATFORM, case))
        # The environment is the process's, so the orchestration must have its C library.
        self.worker = ch.ChipWorker(self.scene.runtime, PLATFORM, isolation="copy")
        self.config = {**self.scene.config_of(self.case, self.worker.chip), "seed": 0}
        self.inputs = self.scene.make_args(self.case, 0)

    def graphs(self) -> list[Graph]:
        """What each program does when it forgets nothing."""
        graphs = []
        for program in range(len(self.programs)):
            assert self.run(program, -1, log=True)["findings"] == []
            lines = self.log.read_text().splitlines()
            if self.scene.runtime == "host_build_graph":
                graphs.append(Graph.of_host(lines, self.scene.folder.name))
            else:
                graphs.append(Graph.of_device(lines, self.scene.runtime == "tensormap_and_ringbuffer"))
        return graphs

    def run(self, program: int, removed: int, log: bool = False) -> dict[str, Any]:
        """The report of a run without an edge."""
        removed_edges.set_removed(removed, self.log if log else None)
        args = copy_args(self.inputs)
        for earlier in range(program):
            self._run(earlier, args, 0)
        return json.loads(self._run(program, args, RACES).check_report)

    def _run(self, program: int, args: Any, check: int) -> Any:
        values = self.scene.arguments_of(self.scene.programs[program], args)
        config = ch.CallConfig(**self.config, check=check)
        return self.worker._worker.run(self.programs[program]._core, values, config)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", NAMES)
def test_a_missing_edge_is_reported_in_one_run(name, tmp_path, monkeypatch):
    monkeypatch.setenv("CHIPHOST_TEST_REMOVE", "")
    monkeypatch.setenv("CHIPHOST_TEST_LOG", "")
    removals = Removals(name, tmp_path)
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

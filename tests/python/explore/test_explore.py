# SPDX-License-Identifier: Apache-2.0
"""Explorations of small graphs whose orders are known, and of graphs with planted races."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_graphs import CASES, CLEAN, RUNTIME, WRONG, classes, orders, write_graphs

from chiphost import ChipWorker
from chiphost._core import Exploration
from chiphost._explore import decisions
from chiphost._explore.driver import Budget, Explored, Plan, explore
from chiphost._explore.subject import Subject
from chiphost.errors import ChiphostError, ConfigError
from chiphost.scene import Scene
from chiphost.scenes import catalog
from chiphost.scenes.programs import compile_scenes

STRATEGIES = ("random", "pct", "pos", "exhaustive")
BUDGET = 3000  # schedules: each strategy finds each planted race in far fewer


class Bench:
    """The scene with the small graphs, on a worker."""

    def __init__(self, root: Path) -> None:
        entry = catalog.find(root, f"{RUNTIME}/graphs")
        programs = compile_scenes([entry], "a2a3sim")[entry.name]
        assert entry.scene is not None
        assert not isinstance(programs, Exception), programs
        self.scene: Scene = entry.scene
        self.programs = programs
        self.worker = ChipWorker(RUNTIME, "a2a3sim")

    def subject(self, case: str, **config: Any) -> Subject:
        config = {**self.scene.config_of(case), **config}
        return Subject(self.worker, self.scene, self.programs, case, config)

    def explore(self, case: str, strategy: str, level: str = "tasks", **wanted: Any) -> Explored:
        budget = Budget(schedules=wanted.pop("schedules", BUDGET))
        return explore(self.subject(case), Plan(strategy, level, seed=1, budget=budget, **wanted))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(write_graphs(tmp_path_factory.mktemp("scenes")))
    yield bench
    bench.worker.finalize()


@pytest.mark.parametrize("case", CLEAN)
def test_every_order_is_run_once(bench: Bench, case: str) -> None:
    graph: Any = CASES[case]
    explored = bench.explore(case, "exhaustive")
    assert explored.complete
    assert explored.counts.schedules == explored.counts.orders == orders(graph["tasks"], graph["edges"])
    assert explored.words == f"all {explored.counts.schedules} orders of its tasks"
    assert explored.counts.events == graph["tasks"]


def test_every_order_of_random_graphs_is_run_once(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    cases: dict[str, Any] = {}
    for number in range(12):
        tasks = rng.randint(1, 6)
        pairs = [(one, other) for other in range(tasks) for one in range(other)]
        edges = tuple(pair for pair in pairs if rng.random() < 0.4)
        aic = tuple(task for task in range(tasks) if rng.random() < 0.5)
        cases[f"graph{number}"] = {"tasks": tasks, "edges": edges, "reads": {}, "aic": aic}
    bench = Bench(write_graphs(tmp_path, cases))
    for case, graph in cases.items():
        explored = bench.explore(case, "exhaustive")
        assert explored.counts.schedules == explored.counts.orders == orders(graph["tasks"], graph["edges"]), graph
        assert explored.complete
        reduced = bench.explore(case, "exhaustive", race_free=True)
        assert reduced.counts.schedules == reduced.counts.orders == classes(graph["tasks"], graph["edges"]), graph
        assert reduced.complete
    bench.worker.finalize()


def test_a_graph_without_races_has_fewer_orders(bench: Bench) -> None:
    schedules = {case: bench.explore(case, "exhaustive", race_free=True).counts.schedules for case in CLEAN}
    assert schedules == {"diamond": 2, "independent": 1, "both_types": 1, "chains": 1}
    explored = bench.explore("chains", "exhaustive", race_free=True)
    assert explored.words == "all 1 order of its tasks that a graph without races can tell apart"


def test_every_core_makes_an_order_of_its_own(bench: Bench) -> None:
    assert bench.explore("diamond", "exhaustive", every_core=True).counts.orders == 2 * 2**4  # a cluster has two AIV
    explored = explore(
        bench.subject("independent", block_dim=2, aicpu_thread_num=1),
        Plan("exhaustive", every_core=True, budget=Budget(schedules=10**6)),
    )
    assert explored.counts.schedules == explored.counts.orders == 24 * 4**4


@pytest.mark.parametrize("level", decisions.LEVELS)
@pytest.mark.parametrize("strategy", ("random", "pct", "pos"))
def test_clean_graphs_have_no_failure(bench: Bench, strategy: str, level: str) -> None:
    for case in CLEAN:
        explored = bench.explore(case, strategy, level, schedules=500)
        assert explored.error == ""
        assert explored.counts.schedules == 500


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_planted_race_is_found_and_made_small(bench: Bench, strategy: str, case: str) -> None:
    explored = bench.explore(case, strategy)
    assert "GOLDEN_MISMATCH" in explored.error
    assert explored.failure is not None
    assert 1 <= len(explored.failure.decisions) <= min(explored.found, 2)
    assert bench.subject(case).replay(explored.failure)[0] == explored.error


@pytest.mark.parametrize("strategy", ("random", "pct", "pos"))
def test_a_planted_race_is_found_in_the_order_of_steps(bench: Bench, strategy: str) -> None:
    explored = bench.explore("lost_edge", strategy, "steps")
    assert explored.failure is not None
    assert len(explored.failure.decisions) <= explored.found
    error, made = bench.subject("lost_edge").replay(explored.failure)
    assert error == explored.error
    assert made == explored.failure


REPLAY = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from test_explore import Bench
from chiphost._explore import decisions

subject = Bench(Path(sys.argv[3])).subject(sys.argv[4])
subject.replay(decisions.parse(sys.argv[5]))
print(subject.digest)
"""


def test_a_log_has_the_same_order_in_every_process(bench: Bench) -> None:
    for level in decisions.LEVELS:
        explored = bench.explore("lost_edge", "pct", level)
        assert explored.failure is not None
        subject = bench.subject("lost_edge")
        digests = set()
        for _ in range(3):
            subject.replay(explored.failure)
            digests.add(subject.digest)
        assert len(digests) == 1
        folder = Path(__file__).parent
        words = [str(folder), str(folder.parent / "support"), str(bench.scene.folder.parents[1])]
        other = subprocess.run(
            [sys.executable, "-c", REPLAY, *words, "lost_edge", str(explored.failure)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert {other.stdout.strip()} == digests
        subject.replay(explored.failure.with_decisions(()))
        assert subject.digest not in digests


def test_a_seed_repeats_an_exploration(bench: Bench) -> None:
    for strategy in ("random", "pct", "pos"):
        first = bench.explore("lost_two", strategy)
        again = bench.explore("lost_two", strategy)
        assert (again.counts, again.failure, again.error) == (first.counts, first.failure, first.error)


def test_pct_stops_when_its_bound_is_reached(bench: Bench) -> None:
    explored = explore(bench.subject("independent"), Plan(depth=2))
    assert explored.counts.schedules == 80  # (1 - 1 / 12) ** 80 < 0.001 <= (1 - 1 / 12) ** 79
    assert explored.words.startswith(
        "every fault that needs 2 ordering decisions between its 4 tasks is found with probability at least 0.999:"
    )


def test_other_bytes_within_the_tolerance_are_no_failure(tmp_path: Path) -> None:
    root = write_graphs(tmp_path, {"lost_edge": CASES["lost_edge"]})
    file = root / RUNTIME / "graphs" / "scene.py"
    lax = file.read_text().replace('out = np.zeros(case["tasks"], np.int64)', 'out = np.zeros(case["tasks"])')
    file.write_text(lax.replace("    config={", "    atol=5.0,\n    config={"))
    bench = Bench(root)
    explored = bench.explore("lost_edge", "exhaustive")
    assert explored.complete, explored.error
    graph: Any = CASES["lost_edge"]
    assert explored.counts.schedules == orders(4, graph["edges"])
    bench.worker.finalize()


def test_a_child_process_does_not_explore(bench: Bench) -> None:
    with ChipWorker(RUNTIME, "a2a3sim", isolation="process") as worker:
        subject = Subject(worker, bench.scene, bench.programs, "diamond", bench.scene.config_of("diamond"))
        with pytest.raises(ChiphostError, match=r"UNIMPLEMENTED.*child process"):
            subject.explore("random", "tasks", schedules_max=1, time_max_s=1)


def test_an_exploration_checks_nothing_else(bench: Bench) -> None:
    args = list(bench.scene.make_args("diamond", 0).values())
    config = {**bench.scene.config_of("diamond"), "check": 1}
    with pytest.raises(ConfigError, match="wanted 0: an exploration compares the outputs of schedules") as refused:
        bench.worker._explore(bench.programs[0], args, Exploration(), **config)
    assert (refused.value.name, refused.value.where) == ("CONFIG_OUT_OF_RANGE", "check")
    assert bench.explore("diamond", "exhaustive").complete  # the worker is as it was

# SPDX-License-Identifier: Apache-2.0
"""Random graphs on host_build_graph, against a plain Python model."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from callables import PLATFORMS, RUNTIME, chain, graph_from_table, run_graph
from hypothesis import given, note, settings
from hypothesis import strategies as st

import chiphost as ch

CLUSTERS = {"a2a3sim": 24, "a5sim": 36}
AICPU_THREADS = {"a2a3sim": 4, "a5sim": 7}


@pytest.fixture(scope="module", params=PLATFORMS)
def worker(request: pytest.FixtureRequest):
    with ch.ChipWorker(RUNTIME, request.param) as made:
        yield made


@st.composite
def graphs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """(tasks, edges): tasks of both kinds, edges along a random order, so that ids may go either way."""
    count = draw(st.integers(0, 60))
    kinds = draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
    order = draw(st.permutations(range(count)))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)) if count > 1 else st.nothing()
    edges = [
        (order[min(a, b)], order[max(a, b)])
        for a, b in draw(st.lists(pairs, max_size=150 if count > 1 else 0))
        if a != b
    ]
    tasks = np.array([(kind, kind) for kind in kinds], np.int32).reshape(-1, 2)
    return tasks, np.array(edges, np.int32).reshape(-1, 2)


@st.composite
def configs(draw: st.DrawFn, platform: str) -> dict[str, int]:
    return {
        "block_dim": draw(st.integers(1, CLUSTERS[platform])),
        "aicpu_thread_num": draw(st.integers(1, AICPU_THREADS[platform])),
        "orch_thread_num": 0,
        "sim_threads": draw(st.sampled_from([1, 1, 1, 2, 3])),
        "seed": draw(st.integers(0, 2**64 - 1)),
    }


@settings(max_examples=300, deadline=None, print_blob=True)
@given(data=st.data())
def test_random_graphs(worker, data):
    tasks, edges = data.draw(graphs())
    config = data.draw(configs(worker.platform))
    run_graph(worker, tasks, edges, **config)


@settings(max_examples=100, deadline=None, print_blob=True)
@given(data=st.data())
def test_same_seed_same_trace(worker, data):
    tasks, edges = data.draw(graphs())
    config = {**data.draw(configs(worker.platform)), "sim_threads": 1}
    first = run_graph(worker, tasks, edges, trace=True, **config)
    second = run_graph(worker, tasks, edges, trace=True, **config)
    assert first.trace == second.trace
    assert first.trace is not None
    assert len(first.trace) % 16 == 0


def test_other_seeds_are_other_schedules(worker):
    tasks = np.array([(i % 2, i % 2) for i in range(40)], np.int32)
    edges = np.zeros((0, 2), np.int32)
    traces = {run_graph(worker, tasks, edges, trace=True, seed=seed).trace for seed in range(20)}
    assert len(traces) == 20


@settings(max_examples=200, deadline=None, print_blob=True)
@given(
    count=st.integers(1, 12),
    data=st.data(),
)
def test_cycles_are_found_and_named(worker, count, data):
    ids = st.integers(0, count - 1)
    edges = data.draw(st.lists(st.tuples(ids, ids), max_size=30))
    successors: dict[int, set[int]] = {}
    for start, end in edges:
        successors.setdefault(start, set()).add(end)

    def reaches_itself(task: int) -> bool:
        seen: set[int] = set()
        open_ = list(successors.get(task, ()))
        while open_:
            at = open_.pop()
            if at == task:
                return True
            if at not in seen:
                seen.add(at)
                open_ += successors.get(at, ())
        return False

    tasks = np.ones((count, 2), np.int32)
    table = np.array(edges, np.int32).reshape(-1, 2)
    if not any(reaches_itself(task) for task in range(count)):
        run_graph(worker, tasks, table)
        return
    values, calls = np.zeros(count, np.uint64), np.zeros(count, np.uint32)
    with pytest.raises(ch.GraphError) as caught:
        worker.run(graph_from_table(worker.platform), [tasks, table, values, calls])
    note(str(caught.value))
    assert caught.value.name == "GRAPH_CYCLE"
    assert not calls.any(), "a task ran although the graph has a cycle"
    named = [int(number) for number in re.findall(r"submit #(\d+)", caught.value.message)]
    assert len(named) >= 2 and named[0] == named[-1]
    assert all(end in successors[start] for start, end in itertools.pairwise(named))
    assert caught.value.task == named[0]


@pytest.mark.parametrize("fan", [1000, 5000])
def test_no_limit_on_fan_out_and_fan_in(worker, fan):
    """One task before and one after `fan` others."""
    tasks = np.array([(i % 2, i % 2) for i in range(fan + 2)], np.int32)
    middle = np.arange(1, fan + 1, dtype=np.int32)
    edges = np.concatenate(
        [np.stack([np.zeros_like(middle), middle], 1), np.stack([middle, np.full_like(middle, fan + 1)], 1)]
    ).astype(np.int32)
    values, calls = np.zeros(fan + 2, np.uint64), np.zeros(fan + 2, np.uint32)
    worker.run(graph_from_table(worker.platform), [tasks, edges, values, calls])
    assert (calls == 1).all()
    first = 5 * 1 if tasks[0, 1] else 3 * 1
    factors = np.where(tasks[:, 1] == 0, 3, 5)
    middles = [int(factors[i]) * (i + 1 + first) for i in range(1, fan + 1)]
    assert values[-1] == int(factors[-1]) * (fan + 2 + sum(middles)) % 2**64


def test_more_tasks_than_simpler_allows(worker):
    """Above 131072 tasks, and memory comes back to what it was."""
    run_graph_quickly(worker, 140_000)
    run_graph(worker, *chain(10))


def run_graph_quickly(worker: ch.ChipWorker, count: int) -> None:
    tasks = np.ones((count, 2), np.int32)
    values, calls = np.zeros(count, np.uint64), np.zeros(count, np.uint32)
    worker.run(graph_from_table(worker.platform), [tasks, np.zeros((0, 2), np.int32), values, calls])
    assert (calls == 1).all()
    assert values[-1] == 5 * count

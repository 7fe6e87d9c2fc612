# SPDX-License-Identifier: Apache-2.0
"""A scene whose cases are small graphs: each task adds 1 to what another task has written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path

RUNTIME = "host_build_graph"
Edges = Sequence[tuple[int, int]]

_SCENE = """
import numpy as np
from chiphost import InOut, Kernel, Scalar, Scene

scene = Scene(
    description="a small graph",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[Kernel(0, "kernel.cpp", "aiv"), Kernel(1, "kernel.cpp", "aic")],
    signature=[InOut("out", "int64", (None,)), Scalar("edges", "uint64"), Scalar("reads", "uint64"), Scalar("aic")],
    config={"block_dim": 1, "aicpu_thread_num": 1},
    default_case=%DEFAULT%,
    cases=%CASES%,
)


@scene.inputs
def inputs(case, rng):
    tasks = case["tasks"]
    edges = sum(1 << (8 * one + other) for one, other in case["edges"])
    reads = sum((case["reads"].get(task, 15)) << (4 * task) for task in range(tasks))
    aic = sum(1 << task for task in case.get("aic", ()))
    return {"out": np.full(tasks, -1, np.int64), "edges": edges, "reads": reads, "aic": aic}


@scene.golden
def golden(args, case):
    out = np.zeros(case["tasks"], np.int64)
    for task in range(case["tasks"]):
        out[task] = (out[case["reads"][task]] if task in case["reads"] else 0) + 1
    return {"out": out}
"""

_ORCHESTRATION = """
#include <chiphost/host_build_graph.h>

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto out = args.tensor(0);
    const uint64_t edges = args.scalar<uint64_t>(0), reads = args.scalar<uint64_t>(1), aic = args.scalar<uint64_t>(2);
    const auto values = graph.copy_in_out(out);
    for (uint64_t task = 0; task < out.elements(); ++task) {
        const bool on_aic = aic >> task & 1;
        graph.add_task(on_aic ? chiphost::AIC : chiphost::AIV, on_aic, {values, task, reads >> (4 * task) & 15});
    }
    for (int from = 0; from < 8; ++from) {
        for (int to = 0; to < 8; ++to) {
            if (edges >> (8 * from + to) & 1) graph.add_successor(from, to);
        }
    }
    return 0;
}
"""

_KERNEL = """
#include <chiphost/kernel.h>

extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    auto* values = chiphost::pointer_arg<int64_t>(args, 0);
    const auto task = chiphost::scalar_arg<uint64_t>(args, 1), reads = chiphost::scalar_arg<uint64_t>(args, 2);
    values[task] = (reads == 15 ? 0 : values[reads]) + 1;
}
"""

DIAMOND = ((0, 1), (0, 2), (1, 3), (2, 3))
CASES: dict[str, dict[str, object]] = {
    "diamond": {"tasks": 4, "edges": DIAMOND, "reads": {1: 0, 2: 0, 3: 1}},
    "independent": {"tasks": 4, "edges": (), "reads": {}},
    "both_types": {"tasks": 4, "edges": ((0, 1), (2, 3)), "reads": {1: 0, 3: 2}, "aic": (0, 3)},
    "chains": {"tasks": 5, "edges": ((0, 1), (2, 3), (3, 4)), "reads": {1: 0, 3: 2, 4: 3}},
    # Each lacks an edge that its reads need, or more.
    "lost_edge": {"tasks": 4, "edges": DIAMOND[1:], "reads": {1: 0, 2: 0, 3: 1}},
    "lost_on_aic": {"tasks": 4, "edges": ((0, 1),), "reads": {1: 0, 3: 2}, "aic": (1, 2)},
    "lost_two": {"tasks": 6, "edges": ((0, 1), (2, 3), (1, 5)), "reads": {1: 0, 3: 2, 4: 3, 5: 1}},
}
CLEAN = ("diamond", "independent", "both_types", "chains")
WRONG = ("lost_edge", "lost_on_aic", "lost_two")


def write_graphs(root: Path, cases: Mapping[str, Mapping[str, object]] = CASES) -> Path:
    """Write the scene "graphs" below `root`, and return that."""
    folder = root / RUNTIME / "graphs"
    folder.mkdir(parents=True)
    text = _SCENE.replace("%CASES%", repr(dict(cases))).replace("%DEFAULT%", repr(next(iter(cases))))
    for file, content in (("scene.py", text), ("orchestration.cpp", _ORCHESTRATION), ("kernel.cpp", _KERNEL)):
        (folder / file).write_text(content)
    return root


def classes(tasks: int, edges: Edges) -> int:
    """The number of orders, if two tasks may change places that no third waits for together; counted by trying all."""
    after = {one: {other for first, other in edges if first == one} for one in range(tasks)}
    pairs = [(a, b) for b in range(tasks) for a in range(b) if after[a] & after[b] or b in after[a] or a in after[b]]
    return len(
        {
            tuple(order.index(one) < order.index(other) for one, other in pairs)
            for order in permutations(range(tasks))
            if all(order.index(one) < order.index(other) for one, other in edges)
        }
    )


def orders(tasks: int, edges: Edges) -> int:
    """The number of orders that a graph allows, counted by trying all."""
    return sum(
        all(order.index(one) < order.index(other) for one, other in edges) for order in permutations(range(tasks))
    )

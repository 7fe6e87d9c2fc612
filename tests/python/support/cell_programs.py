# SPDX-License-Identifier: Apache-2.0
"""Random programs whose result shows every race: whatever order two conflicting tasks come in, other bytes come out.

Eight cells, and tasks with three cells each. A task notes what it has read in a cell of its own, and makes 31 * v + n
of each cell v that it writes, n being its number: two of these never commute. So a program has a race exactly if two
legal orders differ.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HOST: Final = "host_build_graph"
INFERRED: Final = "tensormap_and_ringbuffer"
CELLS: Final = 8
USED: Final = 3  # by a task

_SCENE: Final = """
import numpy as np
from chiphost import InOut, Kernel, Scalar, Scene

scene = Scene(
    description="tasks that use cells",
    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[Kernel(0, "kernel.cpp", "aiv")],
    signature=[InOut("cells", "int64", (8,)), InOut("notes", "int64", (8,)), *(Scalar(name, "uint64") for name in
               ("tasks", "used", "writes", "hidden", "edges"))],
    config={"block_dim": 1, "aicpu_thread_num": 1},
    default_case=%DEFAULT%,
    cases=%CASES%,
)


@scene.inputs
def inputs(case, rng):
    return {"cells": np.arange(1, 9, dtype=np.int64), "notes": np.zeros(8, np.int64), **case["scalars"]}


@scene.golden
def golden(args, case):
    cells, notes = args["cells"].copy(), np.zeros(8, np.int64)
    with np.errstate(over="ignore"):
        for number, (used, writes) in enumerate(case["tasks"]):
            for cell in used:
                notes[number] = 31 * notes[number] + cells[cell]
            for cell in writes:
                cells[cell] = 31 * cells[cell] + number + 1
    return {"cells": cells, "notes": notes}
"""

_KERNEL: Final = """
#include <chiphost/kernel.h>

// Tensors: the task's note, and three cells; scalars: its number, and a bit for each cell that it writes.
extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    auto cell = [&](int i) -> int64_t& { return *chiphost::%POINTER%<int64_t>(args, i); };
    const auto number = chiphost::scalar_arg<uint64_t>(args, 4), writes = chiphost::scalar_arg<uint64_t>(args, 5);
    uint64_t note = 0;
    for (int i = 1; i < 4; ++i) note = 31 * note + static_cast<uint64_t>(cell(i));
    cell(0) = static_cast<int64_t>(note);
    for (int i = 1; i < 4; ++i) {
        if (writes >> (i - 1) & 1) cell(i) = static_cast<int64_t>(31 * static_cast<uint64_t>(cell(i)) + number + 1);
    }
}
"""

_HOST: Final = """
#include <chiphost/host_build_graph.h>

CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    const auto cells = graph.copy_in_out(args.tensor(0)), notes = graph.copy_in_out(args.tensor(1));
    const uint64_t tasks = args.scalar<uint64_t>(0), used = args.scalar<uint64_t>(1), writes = args.scalar<uint64_t>(2);
    const uint64_t edges = args.scalar<uint64_t>(4);
    for (uint64_t task = 0; task < tasks; ++task) {
        const auto cell = [&](int i) { return cells + 8 * (used >> (9 * task + 3 * i) & 7); };
        graph.add_task(chiphost::AIV, 0,
                       {notes + 8 * task, cell(0), cell(1), cell(2), task, writes >> (3 * task) & 7});
    }
    for (int from = 0; from < 8; ++from) {
        for (int to = 0; to < 8; ++to) {
            if (edges >> (8 * from + to) & 1) graph.add_successor(from, to);
        }
    }
    return 0;
}
"""

_INFERRED: Final = """
#include <chiphost/device_graph.h>
using namespace chiphost;

CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
    const auto cells = args.tensor(0), notes = args.tensor(1);
    const uint64_t tasks = args.scalar<uint64_t>(0), used = args.scalar<uint64_t>(1), writes = args.scalar<uint64_t>(2);
    const uint64_t hidden = args.scalar<uint64_t>(3);
    for (uint32_t task = 0; task < tasks; ++task) {
        Task next(AIV, 0);
        next.no_dep(notes.view({1}, {task}));
        for (int i = 0; i < 3; ++i) {
            const auto cell = cells.view({1}, {static_cast<uint32_t>(used >> (9 * task + 3 * i) & 7)});
            if (hidden >> (3 * task + i) & 1) {
                next.no_dep(cell);
            } else if (writes >> (3 * task + i) & 1) {
                next.inout(cell);
            } else {
                next.input(cell);
            }
        }
        graph.submit(next.scalar(uint64_t{task}).scalar(writes >> (3 * task) & 7));
    }
    return 0;
}
"""


@dataclass(frozen=True)
class CellProgram:
    """A program. `has_race` is worked out here, by comparing all pairs of tasks."""

    used: tuple[tuple[int, ...], ...]  # cells, by task
    writes: tuple[tuple[bool, ...], ...]
    hidden: tuple[tuple[bool, ...], ...]  # from the runtime, which infers no edge from the use
    edges: frozenset[tuple[int, int]]

    @property
    def tasks(self) -> int:
        return len(self.used)

    def conflict(self, one: int, other: int) -> bool:
        return any(
            a == b and (self.writes[one][i] or self.writes[other][j])
            for i, a in enumerate(self.used[one])
            for j, b in enumerate(self.used[other])
        )

    def has_race(self) -> bool:
        reached = {(one, other): one == other or (one, other) in self.edges for one in range(8) for other in range(8)}
        for middle in range(8):
            for one in range(8):
                for other in range(8):
                    reached[one, other] |= reached[one, middle] and reached[middle, other]
        pairs = [(one, other) for other in range(self.tasks) for one in range(other)]
        return any(self.conflict(*pair) and not reached[pair] for pair in pairs)

    def case(self) -> dict[str, object]:
        def bits(rows: tuple[tuple[bool, ...], ...]) -> int:
            return sum(int(bit) << (USED * task + i) for task, row in enumerate(rows) for i, bit in enumerate(row))

        return {
            "tasks": [
                (used, [cell for cell, write in zip(used, writes, strict=True) if write])
                for used, writes in zip(self.used, self.writes, strict=True)
            ],
            "scalars": {
                "tasks": self.tasks,
                "used": sum(c << (9 * task + 3 * i) for task, row in enumerate(self.used) for i, c in enumerate(row)),
                "writes": bits(self.writes),
                "hidden": bits(self.hidden),
                "edges": sum(1 << (8 * one + other) for one, other in self.edges),
            },
        }


def random_cell_program(rng: random.Random, runtime: str) -> CellProgram:
    """A program of three to six tasks, which may or may not have races."""
    tasks = rng.randint(3, 6)
    used = tuple(tuple(rng.sample(range(CELLS), USED)) for _ in range(tasks))
    writes = tuple(tuple(rng.random() < 0.4 for _ in range(USED)) for _ in range(tasks))
    none = ((False,) * USED,) * tasks
    pairs = [(one, other) for other in range(tasks) for one in range(other)]
    if runtime == HOST:
        program = CellProgram(used, writes, none, frozenset())
        kept = rng.choice([1.0, 1.0, 0.9, 0.7])
        edges = {pair for pair in pairs if rng.random() < (kept if program.conflict(*pair) else 0.1)}
        return CellProgram(used, writes, none, frozenset(edges))
    share = rng.choice([0.0, 0.0, 0.1, 0.3])
    hidden = tuple(tuple(rng.random() < share for _ in range(USED)) for _ in range(tasks))
    # A hidden use meets nothing: as if it were of a cell that nobody else has.
    cells = [
        tuple(-1 - USED * task - i if hidden[task][i] else cell for i, cell in enumerate(row))
        for task, row in enumerate(used)
    ]
    seen = CellProgram(tuple(cells), writes, none, frozenset())
    return CellProgram(used, writes, hidden, frozenset(pair for pair in pairs if seen.conflict(*pair)))


def write_cell_programs(root: Path, runtime: str, programs: Mapping[str, CellProgram]) -> str:
    """Write a scene whose cases are the programs, and return its name."""
    folder = root / runtime / "cells"
    folder.mkdir(parents=True)
    cases: dict[str, Any] = {name: program.case() for name, program in programs.items()}
    scene = _SCENE.replace("%CASES%", repr(cases)).replace("%DEFAULT%", repr(next(iter(cases))))
    orchestration, pointer = (_HOST, "pointer_arg") if runtime == HOST else (_INFERRED, "tensor_data")
    files = {"scene.py": scene, "orchestration.cpp": orchestration, "kernel.cpp": _KERNEL.replace("%POINTER%", pointer)}
    for file, content in files.items():
        (folder / file).write_text(content)
    return f"{runtime}/cells"

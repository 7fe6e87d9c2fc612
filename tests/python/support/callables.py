# SPDX-License-Identifier: Apache-2.0
"""Callables of the tests, compiled once for a session through the session's cache."""

from __future__ import annotations

from functools import cache

import numpy as np
from checkout import SUPPORT

import chiphost as ch

FOLDER = SUPPORT / "callables"
RUNTIME = "host_build_graph"
PLATFORMS = ("a2a3sim", "a5sim")


@cache
def graph_from_table(platform: str = "a2a3sim") -> ch.ChipCallable:
    """Any graph: (tasks, edges, values, calls); see graph_from_table.cpp and combine.cpp."""
    return ch.compile(
        FOLDER / "graph_from_table.cpp",
        [ch.Kernel(0, FOLDER / "combine.cpp", "aic"), ch.Kernel(1, FOLDER / "combine.cpp", "aiv")],
        platform=platform,
        signature=[
            ch.In("tasks", "int32", (None, 2)),
            ch.In("edges", "int32", (None, 2)),
            ch.InOut("values", "uint64", (None,)),
            ch.InOut("calls", "uint32", (None,)),
        ],
    )


@cache
def misbehave(platform: str = "a2a3sim") -> ch.ChipCallable:
    """One fault, chosen by the scalar: (out, what)."""
    return ch.compile(
        FOLDER / "misbehave.cpp",
        [ch.Kernel(0, FOLDER / "throw_exception.cpp", "aiv"), ch.Kernel(1, FOLDER / "never_return.cpp", "aiv")],
        platform=platform,
        signature=[ch.Out("out", "int32", (4,)), ch.Scalar("what", "int32")],
    )


@cache
def host_stalls() -> ch.ChipCallable:
    """A graph that cannot end, chosen by the scalar: (out, what)."""
    return ch.compile(
        FOLDER / "host_stalls.cpp",
        [
            ch.Kernel(0, FOLDER / "touch.cpp", "aiv"),
            ch.Kernel(1, FOLDER / "wait_for_flag.cpp", "aiv"),
            ch.Kernel(2, FOLDER / "wait_for_flag.cpp", "aiv", defines=["SPINS"]),
        ],
        signature=[ch.InOut("out", "int32", (64,)), ch.Scalar("what", "int32")],
    )


@cache
def copy_tensor(signature: tuple[ch.Arg, ...] | None = None) -> ch.ChipCallable:
    """out = in, byte by byte: (in, out)."""
    return ch.compile(FOLDER / "copy_tensor.cpp", [ch.Kernel(0, FOLDER / "copy_bytes.cpp", "aiv")], signature=signature)


@cache
def show_scalars(signature: tuple[ch.Arg, ...] | None = None) -> ch.ChipCallable:
    """The words of the scalars: (words, *scalars)."""
    return ch.compile(FOLDER / "show_scalars.cpp", [], signature=signature)


@cache
def printing_callable() -> ch.ChipCallable:
    """The orchestration prints its number, and so does its kernel: (out, number)."""
    return ch.compile(
        FOLDER / "print_graph.cpp",
        [ch.Kernel(0, FOLDER / "print_kernel.cpp", "aiv")],
        signature=[ch.Out("out", "int32", (1,)), ch.Scalar("number", "int64")],
    )


def expected_values(tasks: np.ndarray, edges: np.ndarray) -> list[int]:
    """The values that graph_from_table computes, by plain Python: predecessors first, integers modulo 2**64."""
    predecessors: list[list[int]] = [[] for _ in tasks]
    for start, end in edges.tolist():
        predecessors[end].append(start)
    values: dict[int, int] = {}

    def value(task: int) -> int:
        if task not in values:
            factor = 3 if tasks[task, 1] == 0 else 5
            values[task] = factor * (task + 1 + sum(value(p) for p in predecessors[task])) % 2**64
        return values[task]

    return [value(task) for task in range(len(tasks))]


def run_graph(worker: ch.ChipWorker, tasks: np.ndarray, edges: np.ndarray, **config: int) -> ch.RunResult:
    """Run a graph and check it: each task once, after all its predecessors, with the right value."""
    values = np.full(len(tasks), 2**63 + 1, np.uint64)
    calls = np.zeros(len(tasks), np.uint32)
    assert worker.platform is not None
    result = worker.run(graph_from_table(worker.platform), [tasks, edges, values, calls], **config)
    assert calls.tolist() == [1] * len(tasks)
    assert values.tolist() == expected_values(tasks, edges)
    assert result.task_count == len(tasks)
    return result


def chain(length: int) -> tuple[np.ndarray, np.ndarray]:
    """A chain of tasks on alternating kinds of core."""
    kinds = np.arange(length, dtype=np.int32) % 2
    steps = np.arange(max(length - 1, 0), dtype=np.int32)
    return np.stack([kinds, kinds], axis=1), np.stack([steps, steps + 1], axis=1).reshape(-1, 2).astype(np.int32)

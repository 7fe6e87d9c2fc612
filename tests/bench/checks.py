# SPDX-License-Identifier: Apache-2.0
"""The cost of checks: how many times longer a run with `check=True` takes than the same run without.

    python tests/bench/checks.py [--rounds N] [--only TEXT]

prints a table. Each row is one graph in one worker. Plain and checked runs take turns in one process, so that whatever
else the machine does meets both. "device" is the time from launch to completion (`RunResult.device_ns`): the programs
on the simulated chip, and what the checker does before and after them. "CPU" is the processor time of the process in
the whole call in Python, with copies, the graph that a host builds, and reading the report. On a busy machine it tells
more: a checked run is longer, so that other programs interrupt it more often.

A ratio is that of the medians; beside it is that of the shortest times, which other programs disturb less.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

import chiphost as ch

SOURCES: Final = Path(__file__).resolve().parent
PLATFORM: Final = "a2a3sim"
DEVICE_RUNTIME: Final = "tensormap_and_ringbuffer"
TASKS: Final = 8192
MANY_TASKS: Final = 65536


@dataclass(frozen=True)
class Case:
    """A graph to measure.

    Attributes:
        name: what it measures.
        runtime: which one runs it.
        callable: the graph.
        args: of its runs.
        tasks: how many it has.
        goal: the ratio of device times that it should not exceed; None if there is none.
        seconds_max: how long the whole call of a checked run may take; None if it does not matter.
        overrides: of the configuration.
    """

    name: str
    runtime: str
    callable: ch.ChipCallable
    args: Sequence[object]
    tasks: int
    goal: float | None = None
    seconds_max: float | None = None
    overrides: dict[str, int] = field(default_factory=dict)


def kernel_cases() -> Iterator[Case]:
    """Kernels that compute, each compiled with -O2 and -O3."""
    tile, vector = np.ones((64, 64), np.float32), np.ones(16384, np.float32)
    kernels = [
        ("matmul 64x64x64", "matmul_kernel.cpp", (), tile, 64, 8),
        ("matmul 64x64x64, row by row", "matmul_kernel.cpp", ("ROW_OF_ITS_OWN",), tile, 64, 8),
        ("matmul 64x64x64, rows in place", "matmul_kernel.cpp", ("ROWS_IN_PLACE",), tile, 64, 8),
        ("add of 16,384 floats", "add_kernel.cpp", (), vector, 512, 40),
    ]
    for name, source, defines, array, tasks, goal in kernels:
        for level in ("-O2", "-O3"):
            kernel = ch.Kernel(0, SOURCES / source, "aiv", defines=defines, flags=[level])
            callable = ch.compile(
                SOURCES / "device_same_tasks.cpp",
                [kernel],
                runtime=DEVICE_RUNTIME,
                platform=PLATFORM,
                signature=[ch.In("x"), ch.In("y"), ch.Out("out"), ch.Scalar("count"), ch.Scalar("func_id")],
            )
            args = [array, array.copy(), np.zeros_like(array), tasks, 0]
            yield Case(f"{name}, {level}", DEVICE_RUNTIME, callable, args, tasks, goal, None, {"block_dim": 1})


def scheduling_cases() -> Iterator[Case]:
    """Empty tasks on 72 cores: what is left is the cost of scheduling."""
    kernels = [ch.Kernel(0, SOURCES / "empty_kernel.cpp", "aic"), ch.Kernel(1, SOURCES / "empty_kernel.cpp", "aiv")]
    sources = {"host_build_graph": "empty_tasks.cpp", DEVICE_RUNTIME: "device_empty_tasks.cpp"}
    array = np.zeros(64, np.float32)
    for tasks, shapes in ((TASKS, ("independent", "chain")), (MANY_TASKS, ("independent",))):
        for runtime, source in sources.items():
            callable = ch.compile(SOURCES / source, kernels, runtime=runtime, platform=PLATFORM)
            for shape in shapes:
                host = runtime == "host_build_graph"
                scalars = [tasks, int(shape == "chain")] if host else [tasks, int(shape == "chain"), 0]
                args = scalars if host else [array, *scalars]
                name = f"{tasks:,} empty tasks, {shape}, {runtime}"
                seconds_max = 2 if tasks == MANY_TASKS else None
                window = {} if host or tasks == TASKS else {"ring_task_window": tasks}
                yield Case(name, runtime, callable, args, tasks, 1.3, seconds_max, window)


@dataclass(frozen=True)
class Times:
    """Seconds of one side's runs, in the order in which they were made."""

    device: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def add(self, worker: ch.ChipWorker, case: Case, *, check: bool) -> None:
        """Make one run."""
        started, used = time.perf_counter(), time.process_time()
        result = worker.run(case.callable, case.args, check=check or None, **case.overrides)
        self.cpu.append(time.process_time() - used)
        self.wall.append(time.perf_counter() - started)
        self.device.append(result.device_ns / 1e9)
        assert not result.findings, result.findings


def measure(case: Case, rounds: int) -> tuple[Times, Times]:
    """Times of plain runs, and of checked ones."""
    plain, checked = Times(), Times()
    with ch.ChipWorker(case.runtime, PLATFORM) as worker:
        for _ in range(2):  # compiles, and takes memory
            Times().add(worker, case, check=False)
            Times().add(worker, case, check=True)
        for _ in range(rounds):
            plain.add(worker, case, check=False)
            checked.add(worker, case, check=True)
    return plain, checked


def row(case: Case, plain: Times, checked: Times) -> str:
    """The line of the table."""

    def ratio(times: str) -> str:
        ours, theirs = getattr(checked, times), getattr(plain, times)
        return f"{statistics.median(ours) / statistics.median(theirs):6.2f} ({min(ours) / min(theirs):6.2f})"

    per_task = [statistics.median(times.device) / case.tasks * 1e6 for times in (plain, checked)]
    goals = [f"at most {case.goal:g} times" if case.goal else ""]
    if case.seconds_max:
        goals.append(f"under {case.seconds_max:g} s: {statistics.median(checked.wall):.3f} s")
    figures = f"{per_task[0]:10.3f} {per_task[1]:10.3f} {ratio('device'):>17} {ratio('cpu'):>17}"
    return f"{case.name:58}{figures}  {'; '.join(filter(None, goals))}"


def main() -> None:
    """Measure everything that the command line asks for."""
    parser = argparse.ArgumentParser(description="Measure how much slower checked runs are.")
    parser.add_argument("--rounds", type=int, default=21, help="runs of each side (default: %(default)s)")
    parser.add_argument("--only", default="", help="measure rows with this text in their name")
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs; {options.rounds} plain and as many checked runs")
    titles = f"{'plain µs':>10} {'checked µs':>10} {'device':>17} {'CPU':>17}"
    print(f"{'a task of':58}{titles}  goal")
    for cases in (kernel_cases(), scheduling_cases()):
        for case in cases:
            if options.only in case.name:
                print(row(case, *measure(case, options.rounds)), flush=True)


if __name__ == "__main__":
    main()

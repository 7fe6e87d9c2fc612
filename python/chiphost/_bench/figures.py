# SPDX-License-Identifier: Apache-2.0
"""chiphost's figures, measured on this machine and compared with its goals.

Everything is measured from Python on the simulated a2a3 chip. A time or a rate is the median; its note says more.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from .._system.cpus import usable_cpus
from ..callable import ChipCallable
from ..compiler import Kernel, compile
from ..errors import make_error
from ..signature import In, Out
from ..worker import ChipWorker
from . import flow_graph
from .resources import Resources

PLATFORM: Final = "a2a3sim"
TASKS: Final = 8192
SHAPES: Final = {"independent": 0, "chain": 1}  # with their numbers in empty_tasks.cpp

_GROWTH_BYTES_MAX: Final = 1_000_000
_RUN_BYTES_MAX: Final = 10_000_000  # the default rings have room for 1 GB; it is taken as it is touched
_IDLE_FRACTION_MAX: Final = 0.001  # practically none: a sleeping Python process needs a little itself
_CHILD_TIMEOUT_S: Final = 60.0
_FIRST_LOAD: Final = """
import sys, time
from chiphost import ChipWorker
started = time.perf_counter()
worker = ChipWorker(sys.argv[1], sys.argv[2])
print(time.perf_counter() - started)
"""
_MEMORY: Final = """
import sys
from chiphost._bench.figures import run_for_memory
print(*run_for_memory(sys.argv[1]) or ["unknown"])
"""


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        name: what was measured.
        value: the figure; None if it could not be measured here.
        unit: of the value.
        goal: what it should be, in words; empty if there is no goal.
        met: whether it is; None without a goal or a value.
        note: what else a reader should see.
        detail: further numbers.
    """

    name: str
    value: float | None
    unit: str
    goal: str = ""
    met: bool | None = None
    note: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Runtime:
    """A runtime's goals, and the orchestrations that make the graphs in it."""

    warm_us: float
    rate_min: float
    small: str
    large: str
    scalars: tuple[int, ...] = ()  # further scalars of the large graph


_RUNTIMES: Final = {
    "host_build_graph": _Runtime(50, 5e6, "four_tasks.cpp", "empty_tasks.cpp"),
    "aicpu_build_graph": _Runtime(60, 3e6, "device_four_tasks.cpp", "device_empty_tasks.cpp", (1,)),
    "tensormap_and_ringbuffer": _Runtime(60, 2e6, "device_four_tasks.cpp", "device_empty_tasks.cpp", (0,)),
}
FIRST_RUNTIME: Final = next(iter(_RUNTIMES))  # all other figures are measured with this runtime


@dataclass(frozen=True)
class Effort:
    """The number of repetitions of each measurement."""

    first_loads: int
    resets: int
    warm_runs: int
    graphs: int
    steps: int
    idle_s: float
    scene_rounds: int = 1  # rounds over all of simpler's scenes


FULL: Final = Effort(first_loads=11, resets=300, warm_runs=2000, graphs=50, steps=1000, idle_s=1.0, scene_rounds=2)
QUICK: Final = Effort(first_loads=3, resets=30, warm_runs=200, graphs=10, steps=100, idle_s=0.2)


def sources_dir() -> Path:
    """The folder of the benchmarks' sources: the installed one, else the checkout's.

    Raises CompileError (COMPILE_FAILED) if neither exists.
    """
    package = Path(__file__).resolve().parents[1]
    places = (package / "bench_sources", package.parents[1] / "tests" / "bench")
    for place in places:
        if (place / "empty_kernel.cpp").is_file():
            return place
    message = "the benchmarks' sources are missing; looked in " + " and ".join(map(str, places))
    raise make_error("COMPILE_FAILED", message, hint="install chiphost again")


def measure(effort: Effort) -> Iterator[Figure]:
    """Measure one figure after the other. Raises ChiphostError if chiphost does not work here."""
    with _Device(FIRST_RUNTIME) as device:  # first, because it fails at once where nothing works
        yield _first_load(effort)
        yield _time("run it again after reset", times(device.run_after_reset, effort.resets), 1e6, "µs", 200)
        rates = yield from _graphs(device, effort)
        yield from _compare(rates, effort)
        yield _idle(effort)
        yield from _growths(device, effort)
    for runtime in [*_RUNTIMES][1:]:
        with _Device(runtime) as device:
            yield from _graphs(device, effort)
            yield from _growths(device, effort)
    for runtime in _RUNTIMES:
        yield from _memory(runtime)


def _graphs(device: _Device, effort: Effort) -> Generator[Figure, None, dict[str, _Rates]]:
    """Yield figures of a small warm graph and of large ones; return the rates of the large ones by shape."""
    name, goals = device.runtime, _RUNTIMES[device.runtime]
    yield _time(f"{name}: 4 tasks, warm", times(device.run_small, effort.warm_runs), 1e6, "µs", goals.warm_us)
    rates = {shape: _Rates.of(times(device.runs_large(shape), effort.graphs)) for shape in SHAPES}
    for shape, each in rates.items():
        met = each.median >= goals.rate_min
        yield _rate(f"{name}: {TASKS:,} tasks, {shape}", each, f"at least {goals.rate_min / 1e6:g}", met)
    return rates


class _Device:
    """A worker with the benchmarks' graphs: empty tasks on 72 cores."""

    def __init__(self, runtime: str) -> None:
        self.runtime = runtime
        self._small = four_tasks(runtime)
        source = sources_dir() / _RUNTIMES[runtime].large
        self._large = compile(source, _empty_kernels(), runtime=runtime, platform=PLATFORM)
        self._arrays = [np.zeros(64, np.float32), np.zeros(64, np.float32)]
        self._worker = ChipWorker(runtime, PLATFORM)

    def __enter__(self) -> _Device:
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.finalize()

    def run_small(self) -> None:
        self._worker.run(self._small, self._arrays)

    def reset(self) -> None:
        self._worker.reset()

    def run_after_reset(self) -> None:
        self.reset()
        self._worker.init(self.runtime, PLATFORM)
        self.run_small()

    def runs_large(self, shape: str) -> Callable[[], None]:
        arguments = [self._arrays[0], TASKS, SHAPES[shape], *_RUNTIMES[self.runtime].scalars]

        def run() -> None:
            self._worker.run(self._large, arguments)

        return run


def four_tasks(runtime: str) -> ChipCallable:
    """A graph of four empty tasks between an array that goes in and one that comes out."""
    source, signature = sources_dir() / _RUNTIMES[runtime].small, [In("input"), Out("output")]
    return compile(source, _empty_kernels(), runtime=runtime, platform=PLATFORM, signature=signature)


def _empty_kernels() -> list[Kernel]:
    source = sources_dir() / "empty_kernel.cpp"
    return [Kernel(0, source, "aic"), Kernel(1, source, "aiv")]


def run_for_memory(runtime: str) -> tuple[int, int, int] | None:
    """Bytes that this process has gained after a run of 4 tasks, after one of TASKS tasks, and after a reset.

    None on a system that does not say. For a process that has done nothing else.
    """
    device = _Device(runtime)
    before = Resources.now()
    if before is None:
        return None
    grown = []
    for run in (device.run_small, device.runs_large("independent"), device.reset):
        run()
        after = Resources.now()
        assert after is not None
        grown.append(after.since(before).memory_bytes)
    return grown[0], grown[1], grown[2]


@dataclass(frozen=True)
class _Rates:
    """Tasks per second."""

    best: float
    median: float

    @classmethod
    def of(cls, taken: Sequence[float]) -> _Rates:
        return cls(TASKS / min(taken), TASKS / sorted(taken)[len(taken) // 2])


def times(function: Callable[[], object], count: int) -> list[float]:
    """Seconds that each of `count` calls takes, after one to warm up."""
    function()
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started)
    return taken


def _time(name: str, taken: Sequence[float], scale: float, unit: str, goal: float) -> Figure:
    ordered = sorted(each * scale for each in taken)
    median, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    detail = {"best": ordered[0], "p99": p99, "count": len(ordered)}
    return Figure(name, median, unit, f"under {goal:g}", median < goal, f"best {ordered[0]:.3g}, p99 {p99:.3g}", detail)


def _rate(name: str, rates: _Rates, goal: str = "", met: bool | None = None, note: str = "") -> Figure:
    note = f"best {rates.best / 1e6:.2f}{note}"
    return Figure(name, rates.median / 1e6, "million/s", goal, met, note, asdict(rates))


def in_fresh_process(program: str, *arguments: str) -> str:
    """The output of a Python program that gets these arguments and can import chiphost.

    Raises LoadError (LOAD_REFUSED) if it fails, with what it said, and DeadlineError if it does not end.
    """
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    where = " ".join(arguments)
    try:
        child = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=_CHILD_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        message = f"a fresh process did not end within {_CHILD_TIMEOUT_S:g} s"
        raise make_error(
            "DEADLINE_EXCEEDED", message, where, hint="measure on a machine that has less to do"
        ) from error
    if child.returncode:
        raise make_error("LOAD_REFUSED", f"a fresh process said: {child.stderr.strip()}", where)
    return child.stdout.strip()


def _first_load(effort: Effort) -> Figure:
    taken = [float(in_fresh_process(_FIRST_LOAD, FIRST_RUNTIME, PLATFORM)) for _ in range(effort.first_loads)]
    return _time("load a runtime for the first time", taken, 1e3, "ms", 5)


def _compare(rates: dict[str, _Rates], effort: Effort) -> Iterator[Figure]:
    """Measure oneTBB's flow graph on the same graphs, with the number of threads that suits it best."""
    try:
        runs = flow_graph.measure(sources_dir() / "flow_graph.cpp", TASKS, effort.graphs, sorted({1, usable_cpus()}))
    except flow_graph.FlowGraphMissing as error:
        yield Figure("oneTBB's flow graph", None, "million/s", note=f"not measured: {error}")
        return
    for shape, ours in rates.items():
        best = max(runs, key=lambda run: float(run[shape]["built"]["median"]))
        theirs, kept = _Rates(**best[shape]["built"]), _Rates(**best[shape]["kept"])
        note = f", {kept.median / 1e6:.2f} without building the graph"
        yield _rate(f"oneTBB {best['version']}, {best['threads']} thread(s), {shape}", theirs, note=note)
        ratio = ours.median / theirs.median
        goal, met = ("more than 1", ratio > 1) if shape == "independent" else ("", None)
        detail = {"best": ours.best / theirs.best, "runs": [{"threads": run["threads"], **run[shape]} for run in runs]}
        yield Figure(f"chiphost / oneTBB, {shape}", ratio, "", goal, met, f"best {detail['best']:.2f}", detail)


def _memory(runtime: str) -> Iterator[Figure]:
    """Measure the memory that a worker's first runs with default rings take, and the rest that stays after a reset.

    This happens in a process of its own, because memory that was given back may be used again without being counted.
    """
    counts = in_fresh_process(_MEMORY, runtime)
    if counts == "unknown":
        yield Figure(f"{runtime}: memory of a run", None, "MB", note="this system does not say")
        return
    small, large, left = (int(word) / 1e6 for word in counts.split())
    limit = _RUN_BYTES_MAX / 1e6
    yield Figure(f"{runtime}: memory of a run of 4 tasks", small, "MB", f"under {limit:g}", small < limit)
    yield Figure(
        f"{runtime}: memory of a run of {TASKS:,} tasks",
        large,
        "MB",
        f"under {limit:g}",
        large < limit,
        f"{left:.2g} MB left after reset",
        {"after_reset": left},
    )


def _idle(effort: Effort) -> Figure:
    used, started = time.process_time(), time.perf_counter()
    time.sleep(effort.idle_s)
    fraction = (time.process_time() - used) / (time.perf_counter() - started)
    return Figure("CPU while a worker is idle", fraction * 100, "%", "none", fraction < _IDLE_FRACTION_MAX)


def _growths(device: _Device, effort: Effort) -> Iterator[Figure]:
    yield from _growth(f"{device.runtime}: {effort.steps:,} runs", device.run_small, effort)
    yield from _growth(f"{device.runtime}: {effort.steps:,} load-run-reset steps", device.run_after_reset, effort)


def _growth(what: str, function: Callable[[], None], effort: Effort) -> Iterator[Figure]:
    for _ in range(effort.steps // 10 + 10):  # until everything has found its place
        function()
    before = Resources.now()
    for _ in range(effort.steps):
        function()
    after = Resources.now()
    name = f"{what}: more"
    if before is None or after is None:
        yield Figure(f"{name} threads, files, maps, memory", None, "", note="this system does not say")
        return
    more = after.since(before)
    detail = {"before": asdict(before), "after": asdict(after)}
    for noun in ("threads", "files", "maps"):
        grown = getattr(more, noun)
        note = f"{getattr(before, noun)} before, {getattr(after, noun)} after"
        yield Figure(f"{name} {noun}", grown, "", "none", grown <= 0, note, detail)
    memory = more.memory_bytes
    yield Figure(f"{name} memory", memory / 1e6, "MB", "under 1", memory < _GROWTH_BYTES_MAX, "", detail)

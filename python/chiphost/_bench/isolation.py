# SPDX-License-Identifier: Apache-2.0
"""The cost of each isolation strategy on this machine, next to a process for every run.

A library of two functions that do next to nothing is opened and called through `chiphost.isolate`; a graph of four
empty tasks is run by a `ChipWorker`. Every number comes from a fresh process that does nothing else. Times are medians.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np

from .. import _core, isolate
from .._compiling import host_toolchain
from .._strategies import STRATEGIES
from ..errors import ChiphostError, make_error
from ..worker import ChipWorker
from .figures import FIRST_RUNTIME, PLATFORM, four_tasks, in_fresh_process, sources_dir, times
from .resources import Resources

WAYS: Final[dict[str, str]] = {  # the columns, with their titles; the last two are a process for each run
    **{strategy: strategy for strategy in STRATEGIES},
    "new_python": "new Python",
    "fork": "os.fork()",
}

_ALONE: Final = "copy"  # the strategy inside a process for one run, which needs no namespace
_FORK_TIMEOUT_S: Final = 30
_PROGRAM: Final = """
import json, sys
from chiphost._bench import isolation
print(json.dumps(isolation.measure_here(*sys.argv[1:])))
"""


@dataclass(frozen=True)
class Cell:
    """The measurement of one way.

    Attributes:
        value: the figure; None if there is none.
        at_least: whether nothing stopped it there, so that it may be more.
        note: why there is none, or what stopped it; may be empty.
        detail: further numbers.
    """

    value: float | None
    at_least: bool = False
    note: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One figure of all ways.

    Attributes:
        name: what was measured.
        unit: of the values; empty for a count.
        cells: by the keys of WAYS.
        note: what else a reader should see; may be empty.
    """

    name: str
    unit: str
    cells: dict[str, Cell]
    note: str = ""


@dataclass(frozen=True)
class Effort:
    """The number of repetitions of each step, and of instances that are tried."""

    processes: int  # fresh ones for each time: much depends on the CPUs that two threads get, and for long
    instances: int  # open at once, for their memory; every system has as many namespaces
    calls: int  # in each process; the number of runs is the same
    runs: int
    new_pythons: int
    forks: int
    instances_most: int
    processes_most: int
    cycles: int
    process_cycles: int

    def most(self, strategy: str) -> int:
        """The number of instances that are tried."""
        return self.processes_most if strategy == "process" else self.instances_most

    def cycles_of(self, strategy: str) -> int:
        """The number of times that a library is opened, called and closed."""
        return self.process_cycles if strategy == "process" else self.cycles


FULL: Final = Effort(
    processes=5,
    instances=8,
    calls=2000,
    runs=1000,
    new_pythons=7,
    forks=50,
    instances_most=200,
    processes_most=50,
    cycles=10_000,
    process_cycles=300,
)
QUICK: Final = Effort(
    processes=3,
    instances=4,
    calls=500,
    runs=200,
    new_pythons=3,
    forks=10,
    instances_most=50,
    processes_most=10,
    cycles=500,
    process_cycles=30,
)


def measure(effort: Effort) -> list[Row]:
    """Measure everything. Raises ChiphostError if chiphost does not work here, or a strategy that should."""
    four_tasks(FIRST_RUNTIME)  # fails at once where nothing works; from here on it is in the compile cache
    with tempfile.TemporaryDirectory(prefix="chiphost-") as folder:
        library = _build(Path(folder))
        columns: dict[str, dict[str, Cell]] = {
            strategy: _strategy(strategy, library, effort) for strategy in STRATEGIES
        }
        direct = _all_times("call_directly", "", library, effort.calls, effort)
    columns["new_python"] = _new_python(effort)
    columns["fork"] = _fork(effort)

    def row(key: str, name: str, unit: str = "", note: str = "") -> Row:
        return Row(name, unit, {way: columns[way].get(key, Cell(None)) for way in WAYS}, note)

    def call_row(key: str, name: str) -> Row:
        return row(key, name, "µs", f"ctypes, not isolated: {direct[key].value:.2g}")

    cycles = f"{effort.cycles:,} cycles"
    of_cycles = f"open, call, close; process: {effort.process_cycles:,} cycles"
    return [
        row("first_open", "first open of a library", "ms"),
        row("next_open", "next open of it", "ms"),
        call_row("call", "call of an empty function"),
        call_row("call_add", "call of int add(int, int)"),
        row("run", "run of 4 tasks, warm", "µs", "the last two: a process from start to end"),
        row("run_large", "the same with arrays of 64 KiB", "µs"),
        row("init", "reset and init of a worker", "µs"),
        row("memory", "memory an instance", "kB", "Pss; the last two: the whole process"),
        row("instances", "instances at once"),
        *(row(noun, f"{cycles}: more {noun}", "", of_cycles) for noun in ("threads", "files", "maps")),
        row("memory_grown", f"{cycles}: more memory", "kB", of_cycles),
    ]


def measure_here(what: str, strategy: str, library: str, count: str) -> Any:
    """Measure one thing in this process, which does nothing else; the result can be written as JSON."""
    return _HERE[what](strategy, library, int(count))


def _fresh(what: str, strategy: str, library: Path | str, count: int) -> Any:
    return json.loads(in_fresh_process(_PROGRAM, what, strategy, str(library), str(count)))


def _all_times(what: str, strategy: str, library: Path | str, count: int, effort: Effort) -> dict[str, Cell]:
    """Times by the keys of the rows, of several fresh processes."""
    answers = [_fresh(what, strategy, library, count) for _ in range(effort.processes)]
    return {key: _time(chain.from_iterable(answer[key] for answer in answers), 1e6) for key in answers[0]}


def _build(folder: Path) -> Path:
    compiler = host_toolchain.find_compiler()
    source, library = sources_dir() / "empty_functions.cpp", folder / "empty_functions.so"
    command = [*compiler.command, *host_toolchain.flags(compiler, PLATFORM), str(source), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise make_error("COMPILE_FAILED", done.stderr.strip(), str(source))
    return library


def _strategy(strategy: str, library: Path, effort: Effort) -> dict[str, Cell]:
    """Measure a column; the cells are found by the keys of the rows."""
    if strategy == "namespace" and (why := _core.namespaces_unavailable()):
        return {"first_open": Cell(None, note=f"no namespaces here: {why}")}
    opens = [_fresh("open", strategy, library, effort.instances) for _ in range(effort.processes)]
    instances = _fresh("open_many", strategy, library, effort.most(strategy))
    more = _fresh("cycle", strategy, library, effort.cycles_of(strategy))
    return {
        "first_open": _time((each["seconds"][0] for each in opens), 1e3),
        "next_open": _time((seconds for each in opens for seconds in each["seconds"][1:]), 1e3),
        **_all_times("call", strategy, library, effort.calls, effort),
        **_all_times("run", strategy, "", effort.runs, effort),
        "memory": _memory(each["bytes"] for each in opens),
        "instances": Cell(instances["count"], not instances["stopped_by"], instances["stopped_by"]),
        **{noun: _count(more, noun) for noun in ("threads", "files", "maps")},
        "memory_grown": _count(more, "memory_bytes", 1e-3),
    }


def _new_python(effort: Effort) -> dict[str, Cell]:
    taken = times(lambda: _fresh("run_once", _ALONE, "", 1), effort.new_pythons)
    return {"run": _time(taken, 1e6), "memory": _memory([_fresh("run_once", _ALONE, "", 1)])}


def _fork(effort: Effort) -> dict[str, Cell]:
    forks = _fresh("fork", _ALONE, "", effort.forks)
    return {"run": _time(forks["seconds"], 1e6), "memory": _memory([forks["bytes"]])}


def _time(seconds: Iterable[float], scale: float) -> Cell:
    ordered = sorted(each * scale for each in seconds)
    detail = {"best": ordered[0], "p99": ordered[int(len(ordered) * 0.99)], "count": len(ordered)}
    return Cell(statistics.median(ordered), detail=detail)


def _memory(measured: Iterable[float | None]) -> Cell:
    known = [each / 1e3 for each in measured if each is not None]
    return Cell(statistics.median(known)) if known else Cell(None, note="this system does not say")


def _count(more: dict[str, float] | None, noun: str, scale: float = 1) -> Cell:
    return Cell(None, note="this system does not say") if more is None else Cell(more[noun] * scale)


# The work of a fresh process. Each function gets the strategy, the library and a number.


def _open(strategy: str, library: str, count: int) -> dict[str, Any]:
    """Seconds of each open, and bytes of each instance after the first, which also brings what all of them share."""
    seconds, memory = [], []
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            started = time.perf_counter()
            opened.append(isolate.open(library, strategy))
            seconds.append(time.perf_counter() - started)
            stack.enter_context(opened[-1])
            if len(opened) in (1, count):
                memory.append(_pss_with(opened))
    first, last = memory
    return {"seconds": seconds, "bytes": None if first is None or last is None else (last - first) / (count - 1)}


def _call(strategy: str, library: str, count: int) -> dict[str, list[float]]:
    with isolate.open(library, strategy) as opened:
        do_nothing = opened.function("do_nothing")
        add = opened.function("add", ctypes.c_int, [ctypes.c_int, ctypes.c_int])
        return _time_calls(do_nothing, add, count)


def _call_directly(strategy: str, library: str, count: int) -> dict[str, list[float]]:
    opened = ctypes.CDLL(library)
    opened.do_nothing.restype = None
    opened.add.argtypes = [ctypes.c_int, ctypes.c_int]
    return _time_calls(opened.do_nothing, opened.add, count)


def _time_calls(do_nothing: Callable[[], Any], add: Callable[[int, int], Any], count: int) -> dict[str, list[float]]:
    assert add(40, 2) == 42
    return {"call": times(do_nothing, count), "call_add": times(lambda: add(40, 2), count)}


def _run(strategy: str, library: str, count: int) -> dict[str, list[float]]:
    graph, small, large = four_tasks(FIRST_RUNTIME), _arrays(256), _arrays(64 << 10)
    with ChipWorker(FIRST_RUNTIME, PLATFORM, isolation=strategy) as worker:

        def open_again() -> None:
            worker.reset()
            worker.init(FIRST_RUNTIME, PLATFORM, isolation=strategy)

        return {
            "run": times(lambda: worker.run(graph, small), count),
            "run_large": times(lambda: worker.run(graph, large), count),
            "init": times(open_again, count),
        }


def _open_many(strategy: str, library: str, count: int) -> dict[str, Any]:
    """The number of instances that can be open at once, and the name of the error that a further one gets."""
    with ExitStack() as stack:
        for opened in range(count):
            try:
                instance = stack.enter_context(isolate.open(library, strategy))
            except ChiphostError as error:
                return {"count": opened, "stopped_by": error.name}
            assert instance.function("add", ctypes.c_int, [ctypes.c_int, ctypes.c_int])(opened, 1) == opened + 1
    return {"count": count, "stopped_by": ""}


def _cycle(strategy: str, library: str, count: int) -> dict[str, float] | None:
    """The resources that this process has gained after `count` times open, call and close."""

    def cycle() -> None:
        with isolate.open(library, strategy) as opened:
            assert opened.function("add", ctypes.c_int, [ctypes.c_int, ctypes.c_int])(40, 2) == 42

    for _ in range(count // 10 + 10):  # until everything has found its place
        cycle()
    before = Resources.now()
    for _ in range(count):
        cycle()
    after = Resources.now()
    return None if before is None or after is None else asdict(after.since(before))


def _run_once(strategy: str, library: str, count: int) -> int | None:
    """Bytes that this process has after a run."""
    with ChipWorker(FIRST_RUNTIME, PLATFORM, isolation=strategy) as worker:
        worker.run(four_tasks(FIRST_RUNTIME), _arrays(256))
        return _pss()


def _fork_runs(strategy: str, library: str, count: int) -> dict[str, Any]:
    """Seconds of `count` runs, each in a fork of this process that makes a worker for it; and the bytes of one."""
    graph, arrays = four_tasks(FIRST_RUNTIME), _arrays(256)

    def run() -> None:
        with ChipWorker(FIRST_RUNTIME, PLATFORM, isolation=strategy) as worker:
            worker.run(graph, arrays)

    def run_for_memory() -> int | None:
        run()
        return _pss()

    return {"seconds": times(lambda: _in_fork(run), count), "bytes": _in_fork(run_for_memory)}


def _in_fork(function: Callable[[], Any]) -> Any:
    """Run a function in a fork of this process and return its result, which goes through a pipe as JSON."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(_FORK_TIMEOUT_S)  # nobody else ends it, should its parent be killed
            os.write(writes, json.dumps(function()).encode())
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise make_error("PROCESS_DIED", f"a fork ended with status {status}", f"process {child}")
    return json.loads(answer)


def _arrays(size_bytes: int) -> list[Any]:
    return [np.zeros(size_bytes, np.uint8) for _ in range(2)]


def _pss_with(opened: Sequence[isolate.Library]) -> int | None:
    """Bytes of this process and of the processes that libraries live in."""
    processes = [library.process_id for library in opened]
    sizes = [_pss(process) for process in (None, *filter(None, processes))]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _pss(process: int | None = None) -> int | None:
    """Bytes of a process, this one if None; memory shared with n - 1 others counts as 1/n. None if unknown."""
    rollup = Path(f"/proc/{process or 'self'}/smaps_rollup")
    if not rollup.exists():
        return None
    words = next(line for line in rollup.read_text().splitlines() if line.startswith("Pss:")).split()
    return int(words[1]) * 1024


_HERE: Final[dict[str, Callable[[str, str, int], Any]]] = {
    "open": _open,
    "call": _call,
    "call_directly": _call_directly,
    "run": _run,
    "open_many": _open_many,
    "cycle": _cycle,
    "run_once": _run_once,
    "fork": _fork_runs,
}

# SPDX-License-Identifier: Apache-2.0
"""The speed of scenes of the project simpler here, next to simpler's own runner in the same run.

SIMPLER_DIR names a checkout of simpler, with its scenes, and PTO_ISA_ROOT one of PTO-ISA. If simpler is built there,
its runner is measured too: by the Python that SIMPLER_PYTHON names, else by this one. Each round measures both sides
one after the other, so other work of the machine meets both; a ratio is the median of the rounds' ratios.

A figure that cannot be measured has no value, and its note says what is missing.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from .._simpler.scene import SimplerScene
from ..scenes.catalog import Entry
from ..scenes.programs import compile_scenes
from ..worker import ChipWorker
from .figures import PLATFORM, Effort, Figure

COLD: Final = "simpler's scenes: all, nothing compiled"
FULL_CACHE: Final = "simpler's scenes: all, full cache"
WARM: Final = "simpler's scenes: vector_example, warm"
THEIRS: Final = ", by its own runner"
RATIO: Final = ", simpler / chiphost"

_VARIABLES: Final = ("SIMPLER_DIR", "PTO_ISA_ROOT")  # name folders
_WARM_SCENE: Final = f"{PLATFORM.removesuffix('sim')}/tensormap_and_ringbuffer/vector_example"
_COLD_S_MAX: Final = 30.0
_FULL_CACHE_S_MAX: Final = 4.0
_RUNNER_TIMEOUT_S: Final = 1800
_ANSWER_TIMEOUT_S: Final = 300.0
_OURS: Final = "import sys; from chiphost._bench import simpler; simpler.serve(sys.argv[1])"
_OURS_FOR_ONE: Final = 20  # warm runs here for each one of simpler's, which takes some thousand times as long
# Runs one scene by simpler's classes; answers "ready", and to each line the seconds of a run.
_DRIVER: Final = """
import ctypes, os, sys, time
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.path.insert(0, sys.argv[1])
import ci, torch
[task] = [each for each in ci.discover_tasks(sys.argv[2]) if str(each.task_dir).endswith(sys.argv[3])]
made = ci.compile_task(task, os.environ["PTO_ISA_ROOT"])
words, kept, config = ci.ChipStorageTaskArgs(), [], ci.CallConfig()
for name, value in made.golden_module.generate_inputs(made.cases[0]):
    if isinstance(value, ctypes._SimpleCData):
        words.add_scalar(ci.scalar_to_uint64(value))
    else:
        kept.append(torch.as_tensor(value).contiguous())
        words.add_tensor(ci.make_tensor_arg(kept[-1]))
for field, value in made.kernel_config.RUNTIME_CONFIG.items():
    if field in ("block_dim", "aicpu_thread_num", "orch_thread_num"):
        setattr(config, field, value)
files, worker = made.runtime_bins, ci.ChipWorker()
worker.init(0, str(files.host_path), files.aicpu_path.read_bytes(), files.aicore_path.read_bytes())
worker.run(made.chip_callable, words, config)
print("ready", file=answers, flush=True)
for line in sys.stdin:
    started = time.perf_counter()
    worker.run(made.chip_callable, words, config)
    print(time.perf_counter() - started, file=answers, flush=True)
"""


class _NotMeasured(Exception):
    """Something could not be measured; the text says why."""


@dataclass
class _Sides:
    """Seconds of both sides, one for each round.

    `cpu_s` has the least time that all CPUs together worked for a side; `missing` says why a side has no figures.
    """

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    cpu_s: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def measure(effort: Effort) -> Iterator[Figure]:
    """Measure one figure after the other. Raises nothing if something is missing or fails: notes say so."""
    wanted = {name: _folder(name) for name in _VARIABLES}
    if lacking := [name for name, folder in wanted.items() if folder is None]:
        note = f"not measured: {' and '.join(lacking)} name{'' if lacking[1:] else 's'} no folder"
        yield Figure("simpler's scenes", None, "s", note=note)
        return
    simpler = wanted["SIMPLER_DIR"]
    assert simpler is not None
    yield from _all_scenes(simpler, effort.scene_rounds)
    yield from _one_scene(simpler, max(effort.scene_rounds * 5, 3))


def _folder(variable: str) -> Path | None:
    """The folder that a variable of the environment names, if it is one."""
    name = os.environ.get(variable)
    return Path(name).absolute() if name and Path(name).is_dir() else None


# All scenes


def _all_scenes(simpler: Path, rounds: int) -> Iterator[Figure]:
    cold, full = _Sides(), _Sides()
    detail: dict[str, Any] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="chiphost-bench-") as cache:
            try:
                for sides in (cold, full):
                    with _cpu_time(sides, "ours"):
                        sides.ours.append(_run_ours(simpler, cache, detail))
            except _NotMeasured as why:
                cold.missing["ours"] = full.missing["ours"] = str(why)
                break
        if not cold.missing:
            try:
                with _cpu_time(cold, "theirs"):
                    cold.theirs.append(_run_theirs(simpler))
            except _NotMeasured as why:
                cold.missing["theirs"] = str(why)
    torch_s = detail.get("torch_import_seconds")
    of_torch = "" if torch_s is None else f"; {torch_s:.2g} s of it to import torch"
    scenes = f"{detail.get('total', 'no')} scenes"
    yield _time(COLD, cold, "ours", _COLD_S_MAX, f"{scenes}{of_torch}", detail)
    yield _time(FULL_CACHE, full, "ours", _FULL_CACHE_S_MAX, f"{scenes}{of_torch}", detail)
    yield _time(f"{COLD}{THEIRS}", cold, "theirs")
    yield _ratio(f"{COLD}{RATIO}", cold)


@contextlib.contextmanager
def _cpu_time(sides: _Sides, side: str) -> Iterator[None]:
    before = os.times()
    yield
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    sides.cpu_s[side] = min(used, sides.cpu_s.get(side, used))


def _run_ours(simpler: Path, cache: str, out_detail: dict[str, Any]) -> float:
    """Seconds that `chiphost ci` takes with a folder as its cache. `out_detail` gets the totals of its report."""
    report = Path(cache, "report.json")
    words = ["ci", "-p", PLATFORM, "--scenes", str(simpler / "examples"), "--json", str(report)]
    started = time.monotonic()
    done = _run(
        [sys.executable, "-m", "chiphost", *words],
        {**_with_this_package(), "CHIPHOST_CACHE_DIR": str(Path(cache, "cache"))},
    )
    seconds = time.monotonic() - started
    if not report.is_file():
        raise _NotMeasured(f"chiphost ci ended with {done.returncode}: {_last_line(done.stderr)}")
    said = json.loads(report.read_text())
    if failed := [scene for scene in said["scenes"] if scene["error"]]:
        raise _NotMeasured(f"{len(failed)} of {said['total']} scenes failed: {_last_line(failed[0]['error'])}")
    out_detail.update({name: said[name] for name in ("total", "torch_import_seconds") if name in said})
    return seconds


def _run_theirs(simpler: Path) -> float:
    """Seconds that simpler's own runner takes for the same scenes."""
    runner = simpler / "ci.py"
    if not runner.is_file():
        raise _NotMeasured(f"there is no {runner}")
    words = [str(runner), "-p", PLATFORM, "-t", str(_RUNNER_TIMEOUT_S)]
    with tempfile.TemporaryDirectory(prefix="chiphost-bench-") as folder:
        started = time.monotonic()
        done = _run([_python(), *words], {"PYTHONDONTWRITEBYTECODE": "1"}, folder)
        seconds = time.monotonic() - started
    if done.returncode != 0:
        last = _last_line(done.stderr) or _last_line(done.stdout)
        raise _NotMeasured(f"simpler's runner ended with {done.returncode}: {last}")
    return seconds


# One scene, warm: each side has a process that answers a line with the seconds of a run


def _one_scene(simpler: Path, rounds: int) -> Iterator[Figure]:
    sides = _Sides()
    with contextlib.ExitStack() as stack:
        try:
            scene = str(simpler / "examples" / _WARM_SCENE)
            ours = stack.enter_context(_Side([sys.executable, "-c", _OURS, scene], _with_this_package()))
        except _NotMeasured as why:
            yield Figure(WARM, None, "µs", note=f"not measured: {why}")
            return
        theirs = None
        try:
            words = [_python(), "-c", _DRIVER, str(simpler), PLATFORM, _WARM_SCENE]
            theirs = stack.enter_context(_Side(words, {"PYTHONDONTWRITEBYTECODE": "1"}))
        except _NotMeasured as why:
            sides.missing["theirs"] = str(why)
        try:
            for _ in range(rounds):
                sides.ours.append(statistics.median(ours.run() for _ in range(_OURS_FOR_ONE)))
                if theirs:
                    sides.theirs.append(theirs.run())
        except _NotMeasured as why:
            sides.missing["theirs"] = str(why)
    yield _time(WARM, sides, "ours", unit="µs")
    yield _time(f"{WARM}{THEIRS}", sides, "theirs", unit="µs")
    yield _ratio(f"{WARM}{RATIO}", sides)


def serve(folder: str) -> None:
    """Answer "ready" when a scene has run once; then answer each line of standard input with the seconds of a run."""
    with os.fdopen(os.dup(1), "w") as answers, ChipWorker() as worker:
        os.dup2(2, 1)  # the scene's output
        scene = SimplerScene.load(folder)
        compiled = compile_scenes([Entry(scene.name, Path(folder), scene, None)], PLATFORM)[scene.name]
        if isinstance(compiled, Exception):
            raise compiled
        worker.init(scene.runtime, PLATFORM)
        args = scene.arguments_of(scene.programs[0], scene.make_args())
        config: dict[str, Any] = scene.config_of(scene.default_case)
        worker.run(compiled[0], args, **config)
        print("ready", file=answers, flush=True)
        for _ in sys.stdin:
            started = time.perf_counter()
            worker.run(compiled[0], args, **config)
            print(time.perf_counter() - started, file=answers, flush=True)


class _Side:
    """A process that answers. A context manager."""

    def __init__(self, words: Sequence[str], variables: Mapping[str, str]) -> None:
        """Prepare to start it. It gets these variables besides those of this process."""
        self._words = words
        self._variables = variables

    def __enter__(self) -> _Side:
        self._said = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                self._words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                env={**os.environ, **self._variables},
            )
        except OSError as error:
            self._said.close()
            raise _NotMeasured(f"{self._words[0]} cannot be run: {error.strerror}") from error
        try:
            self._answer()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def run(self) -> float:
        """Seconds of a run."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(b"run\n")
            self._process.stdin.flush()
        except OSError as error:
            raise _NotMeasured(self._why_it_ended()) from error
        return float(self._answer())

    def _answer(self) -> str:
        out = self._process.stdout
        assert out is not None
        if not select.select([out], [], [], _ANSWER_TIMEOUT_S)[0]:
            raise _NotMeasured(f"{self._words[0]} did not answer within {_ANSWER_TIMEOUT_S:g} s")
        line = out.readline().decode().strip()
        if not line:
            raise _NotMeasured(self._why_it_ended())
        return line

    def _why_it_ended(self) -> str:
        code = self._process.wait()
        self._said.seek(0)
        return f"{self._words[0]} ended with {code}: {_last_line(self._said.read().decode(errors='replace'))}"

    def _end(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._said.close()


# Figures


def _time(
    name: str,
    sides: _Sides,
    side: str,
    goal_s: float | None = None,
    note: str = "",
    detail: dict[str, Any] | None = None,
    unit: str = "s",
) -> Figure:
    taken: list[float] = getattr(sides, side)
    why = sides.missing.get(side, "the other side is missing")
    if not taken:
        return Figure(name, None, unit, note=f"not measured: {why}")
    scale = {"s": 1, "µs": 1e6}[unit]
    median, best = statistics.median(taken) * scale, min(taken) * scale
    cpu = f"{sides.cpu_s[side]:.3g} s of CPU" if side in sides.cpu_s else ""
    notes = "; ".join(filter(None, [f"best {best:.3g}" if len(taken) > 1 else "", note, cpu]))
    goal = "" if goal_s is None else f"under {goal_s:g}"
    met = None if goal_s is None else median < goal_s * scale
    return Figure(
        name,
        median,
        unit,
        goal,
        met,
        notes,
        {"best": best, "count": len(taken), "cpu_s": sides.cpu_s.get(side), **(detail or {})},
    )


def _ratio(name: str, sides: _Sides) -> Figure:
    ratios = [theirs / ours for ours, theirs in zip(sides.ours, sides.theirs, strict=False)]
    if not ratios:
        return Figure(name, None, "", note=f"not measured: {'; '.join(sides.missing.values()) or 'a side is missing'}")
    ratio = statistics.median(ratios)
    note = f"{min(ratios):.3g} to {max(ratios):.3g} in {len(ratios)} rounds" if len(ratios) > 1 else "one round"
    return Figure(name, ratio, "", "more than 1", ratio > 1, note, {"ratios": ratios})


# Processes


def _python() -> str:
    return os.environ.get("SIMPLER_PYTHON") or sys.executable


def _run(
    words: Sequence[str], variables: Mapping[str, str], folder: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program with further variables. Raises _NotMeasured if it cannot be started, or does not end."""
    try:
        return subprocess.run(
            words,
            cwd=folder,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_RUNNER_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _NotMeasured(f"{words[0]} did not end within {_RUNNER_TIMEOUT_S} s") from error
    except OSError as error:
        raise _NotMeasured(f"{words[0]} cannot be run: {error.strerror}") from error


def _with_this_package() -> dict[str, str]:
    """The variable by which a fresh Python finds this chiphost."""
    package = str(Path(__file__).resolve().parents[2])
    return {"PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))}


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"

# SPDX-License-Identifier: Apache-2.0
"""The runner: every failure has its name and reason, and the other scenes don't notice.

Kernels that hang stay in the process for good; they are tested in processes of their own, in test_ci.py.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import c_libraries
import pytest
from throwaway_scenes import RUNTIME, change, warm_cache, write_scenes

from chiphost._system.deadline import Deadline
from chiphost.chip import Chip
from chiphost.errors import CacheError, CompileError, make_error
from chiphost.scenes import catalog, runner
from chiphost.scenes import programs as scene_programs
from chiphost.scenes import run as scene_run
from chiphost.scenes.results import SceneResult, Settings, Watcher
from chiphost.scenes.runner import Runner
from chiphost.worker import ChipWorker

PLATFORM = "a2a3sim"
FAILURES = {
    "wrong_golden": "GOLDEN_MISMATCH",
    "returns_error": "ORCHESTRATION_FAILED",
    "throws": "kernel says no",
    "does_not_compile": "nonsense",
    "invalid": "undefined",
    "exits": "SystemExit",
}
both_modes = pytest.mark.parametrize("parallel", [False, True], ids=["serial", "parallel"])


def run(root: Path, settings: Settings | None = None, **options: Any) -> dict[str, SceneResult]:
    entries = catalog.select(root, platform=PLATFORM)
    results = Runner(settings or Settings(PLATFORM)).run(entries, **options)
    assert [result.name for result in results] == [entry.name for entry in entries]
    return {result.name.partition("/")[2]: result for result in results}


def run_one(root: Path, **settings: Any) -> SceneResult:
    [result] = run(root, Settings(PLATFORM, **settings)).values()
    return result


@both_modes
def test_each_failure_has_its_reason_and_the_others_pass(tmp_path: Path, parallel: bool) -> None:
    write_scenes(tmp_path, *FAILURES, a_passes="passes", z_passes="passes")
    results = run(tmp_path, parallel=parallel)
    assert {name: result.passed for name, result in results.items()} == {
        **dict.fromkeys(FAILURES, False),
        "a_passes": True,
        "z_passes": True,
    }
    for name, reason in FAILURES.items():
        assert reason in (results[name].error or ""), name
        assert all(not case.passed and reason in (case.error or "") for case in results[name].cases), name
    for name in ("a_passes", "z_passes"):
        assert results[name].error is None
        assert [(case.case, case.passed, case.tasks, case.rounds) for case in results[name].cases] == [
            ("default", True, 1, 1),
            ("one", True, 1, 1),
        ]


def test_a_result_says_what_ran_where(tmp_path: Path) -> None:
    result = run_one(write_scenes(tmp_path, "passes"), seed=7)
    assert (result.name, result.platform, result.runtime, result.seed) == (f"{RUNTIME}/passes", PLATFORM, RUNTIME, 7)


def test_the_error_of_a_kernel_says_task_and_core(tmp_path: Path) -> None:
    assert "task 0, core 1, func_id 0" in (run_one(write_scenes(tmp_path, "throws")).error or "")


def test_a_debugger_of_scenes_gets_tracebacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "exits")
    assert "Traceback" not in (run_one(tmp_path).error or "")
    monkeypatch.setenv("CHIPHOST_DEBUG", "1")
    assert "Traceback" in (run_one(tmp_path).error or "")


def test_named_cases_only(tmp_path: Path) -> None:
    [result] = run(write_scenes(tmp_path, "passes"), cases=["one"]).values()
    assert [case.case for case in result.cases] == ["one"]


@pytest.mark.parametrize(("rounds", "expected"), [(None, 3), (2, 2)])
def test_rounds_are_the_scene_s_or_the_caller_s(tmp_path: Path, rounds: int | None, expected: int) -> None:
    result = run_one(write_scenes(tmp_path, "three_rounds"), rounds=rounds)
    assert [case.rounds for case in result.cases] == [expected, expected]


@pytest.mark.parametrize("rounds", [1, 3])
def test_tasks_are_those_of_one_round(tmp_path: Path, rounds: int) -> None:
    write_scenes(tmp_path, "passes")
    result = run_one(tmp_path, rounds=rounds)
    assert [(case.rounds, case.tasks) for case in result.cases] == [(rounds, 1), (rounds, 1)]
    change(
        tmp_path,
        "passes",
        "scene.py",
        'orchestration="orchestration.cpp",\n    entry="build_graph",\n    kernels=[Kernel(0, "kernel.cpp", "aiv")],',
        'programs=[Program("orchestration.cpp", "build_graph", [Kernel(0, "kernel.cpp", "aiv")], SIGNATURE)] * 2,',
    )
    change(tmp_path, "passes", "scene.py", "import Scene", "import Program, Scene")
    signature = '[In("x", "float32", (None,)), Out("out", "float32", (None,))]'
    change(tmp_path, "passes", "scene.py", f"signature={signature}", "signature=SIGNATURE")
    change(tmp_path, "passes", "scene.py", "scene = Scene(", f"SIGNATURE = {signature}\nscene = Scene(")
    result = run_one(tmp_path, rounds=rounds)
    assert [(case.rounds, case.tasks) for case in result.cases] == [(rounds, 2), (rounds, 2)], result.error


def test_every_round_has_fresh_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "three_rounds")
    seen: list[Any] = []
    original = ChipWorker.run

    def spy(self: ChipWorker, callable: Any, args: Sequence[Any] = (), config: Any = None, **overrides: Any) -> Any:
        seen.append(args[1])
        assert all(value != value for value in args[1])  # NaN, as the scene made it
        return original(self, callable, args, config, **overrides)

    monkeypatch.setattr(ChipWorker, "run", spy)
    assert run_one(tmp_path).passed
    assert len({id(array) for array in seen}) == len(seen) == 6


def test_the_expected_result_is_computed_once_for_each_case(tmp_path: Path) -> None:
    write_scenes(tmp_path / "scenes", "three_rounds")
    file = tmp_path / "scenes" / RUNTIME / "three_rounds" / "scene.py"
    log = tmp_path / "log"
    counted = f"""
@scene.golden
def counted(args, case):
    with open({str(log)!r}, "a") as log:
        log.write(".")
    return golden(args, case)
"""
    file.write_text(file.read_text() + counted)
    [result] = run(tmp_path / "scenes").values()
    assert [case.rounds for case in result.cases] == [3, 3], result.error
    assert log.read_text() == ".."


def test_in_turn_scenes_share_a_worker_that_is_reset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "passes", "throws", "wrong_golden")
    log: list[str] = []
    for name in ("__init__", "init", "reset", "finalize"):
        original = getattr(ChipWorker, name)

        def spy(self: ChipWorker, *args: Any, _name: str = name, _original: Any = original, **kwargs: Any) -> Any:
            log.append(_name)
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(ChipWorker, name, spy)
    run(tmp_path)
    assert log == ["__init__", *["init", "reset"] * 3, "finalize"]


def test_a_worker_that_cannot_be_reset_is_the_fault_of_its_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scenes(tmp_path, a_passes="passes", z_passes="passes")
    original = ChipWorker.reset
    calls: list[int] = []

    def fail_once(self: ChipWorker) -> None:
        original(self)
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("the device will not close")

    monkeypatch.setattr(ChipWorker, "reset", fail_once)
    results = run(tmp_path)
    assert results["a_passes"].error == "RuntimeError: the device will not close"
    assert results["z_passes"].passed


def test_in_parallel_each_scene_has_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, **{f"s{index}": "passes" for index in range(5)})
    workers: list[ChipWorker] = []
    original = ChipWorker.init

    def spy(self: ChipWorker, *args: Any, **kwargs: Any) -> None:
        workers.append(self)
        original(self, *args, **kwargs)

    monkeypatch.setattr(ChipWorker, "init", spy)
    assert all(result.passed for result in run(tmp_path, parallel=True).values())
    assert len(set(map(id, workers))) == 5


def test_in_parallel_scenes_really_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "passes", "throws")
    monkeypatch.setattr(runner, "usable_cpus", lambda: 2)
    meeting = threading.Barrier(2, timeout=60)
    original = scene_run.run_case

    def meet(*args: Any) -> None:
        meeting.wait()
        original(*args)

    monkeypatch.setattr(scene_run, "run_case", meet)
    results = run(tmp_path, parallel=True)
    assert results["passes"].passed  # else the barrier broke


@both_modes
def test_what_fails_is_run_again_only_if_asked_and_says_so(tmp_path: Path, parallel: bool) -> None:
    write_scenes(tmp_path, "flaky", "wrong_golden", "does_not_compile", "passes")
    results = run(tmp_path, parallel=parallel)
    assert [case.passed for case in results["flaky"].cases] == [False, True]
    assert not any(case.earlier_errors for result in results.values() for case in result.cases)

    results = run(tmp_path, Settings(PLATFORM, retries=2), parallel=parallel)
    assert results["flaky"].passed
    [error] = results["flaky"].cases[0].earlier_errors
    assert "GOLDEN_MISMATCH" in error
    assert results["flaky"].cases[1].earlier_errors == ()
    assert not results["wrong_golden"].passed
    assert [len(case.earlier_errors) for case in results["wrong_golden"].cases] == [2, 2]
    assert not any(case.earlier_errors for case in (*results["passes"].cases, *results["does_not_compile"].cases))


def test_a_case_is_run_again_on_a_worker_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "flaky")
    workers: list[ChipWorker] = []
    original = ChipWorker.run

    def spy(self: ChipWorker, *args: Any, **overrides: Any) -> Any:
        workers.append(self)
        return original(self, *args, **overrides)

    monkeypatch.setattr(ChipWorker, "run", spy)
    assert run_one(tmp_path, retries=1).passed
    first, again, other_case = workers
    assert first is not again
    assert again is other_case


def test_runtimes_of_another_folder_are_used(tmp_path: Path) -> None:
    write_scenes(tmp_path, "passes")
    [result] = run(tmp_path, Settings(PLATFORM, library=tmp_path / "elsewhere")).values()
    assert "RUNTIME_UNKNOWN" in (result.error or "")
    assert "none is installed" in (result.error or "")


@both_modes
def test_the_watcher_hears_of_everything_on_the_caller_s_thread(tmp_path: Path, parallel: bool) -> None:
    write_scenes(tmp_path, "passes", "invalid", "throws")
    heard: list[tuple[str, object]] = []
    caller = threading.current_thread()

    class Listener(Watcher):
        def compiled(self, done: int, total: int, name: str) -> None:
            assert threading.current_thread() is caller
            heard.append(("compiled", (done, total)))

        def started(self, scene: str) -> None:
            assert threading.current_thread() is caller
            heard.append(("started", scene))

        def ended(self, result: SceneResult) -> None:
            assert threading.current_thread() is caller
            heard.append(("ended", result.name))

    entries = catalog.select(tmp_path, platform=PLATFORM)
    Runner(Settings(PLATFORM), Listener()).run(entries, parallel=parallel)
    assert heard[:4] == [("compiled", (done, 4)) for done in (1, 2, 3, 4)]
    for entry in entries:
        assert heard.index(("started", entry.name)) < heard.index(("ended", entry.name))
    assert len(heard) == 4 + 2 * len(entries)


def test_ctrl_c_reports_what_is_done(tmp_path: Path) -> None:
    write_scenes(tmp_path, "interrupts", a_passes="passes", z_passes="passes")
    entries = catalog.select(tmp_path, platform=PLATFORM)
    once = Runner(Settings(PLATFORM))
    first, second, third = once.run(entries)
    assert once.interrupted
    assert first.passed
    assert second.error == "case 'default': stopped: interrupted"
    assert third.error == "not started: interrupted"
    assert {case.error for case in third.cases} == {"not started: interrupted"}


def test_python_code_that_hangs_is_stopped_by_the_deadline(tmp_path: Path) -> None:
    write_scenes(tmp_path, "hangs_in_python", z_passes="passes")
    warm_cache(tmp_path)
    results = run(tmp_path, Settings(PLATFORM, deadline=Deadline(3)))
    assert results["hangs_in_python"].error == "case 'default': stopped: the deadline of 3 s was over"
    assert results["z_passes"].error == "not started: the deadline of 3 s was over"


@both_modes
def test_a_deadline_that_is_over_before_anything_starts(tmp_path: Path, parallel: bool) -> None:
    write_scenes(tmp_path, "passes", "invalid")
    results = run(tmp_path, Settings(PLATFORM, deadline=Deadline(1e-9)), parallel=parallel)
    for result in results.values():
        assert (result.passed, result.error) == (False, "not started: the deadline of 1e-09 s was over")


def test_a_deadline_kills_compilers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path / "scenes", "passes")
    script = tmp_path / "slow_g++"
    ask = f'case "$1" in --version|-dumpmachine) exec {c_libraries.compiler()} "$@";; esac'
    script.write_text(f"#!/bin/sh\n{ask}\nexec sleep 600\n")
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))
    monkeypatch.setenv("CHIPHOST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(scene_programs, "_SHARE", 0.005)  # of a deadline that is far away, whatever else takes time
    result = run_one(tmp_path / "scenes", deadline=Deadline(60))
    assert result.error is not None
    assert re.search(r"slow_g\+\+ did not finish in timeout_s = 0\.[123]\d* s", result.error)


def test_the_deadline_leaves_no_alarm_behind(tmp_path: Path) -> None:
    import signal

    before = signal.getsignal(signal.SIGALRM)
    run(write_scenes(tmp_path, "passes"), Settings(PLATFORM, deadline=Deadline(600)))
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


@pytest.mark.parametrize(
    ("timeout_s", "deadline_s", "expected"),
    [(None, None, 60.0), (5.0, None, 5.0), (0.0, None, 0.0), (None, 1e6, 1e6), (5.0, 1e6, 5.0), (0.0, 1e6, 1e6)],
)
def test_a_run_gets_the_time_that_is_left(timeout_s: float | None, deadline_s: float | None, expected: float) -> None:
    settings = Settings(PLATFORM, timeout_s=timeout_s, deadline=Deadline(deadline_s))
    assert scene_run._timeout_s(settings) == pytest.approx(expected, rel=1e-3)


def test_a_run_never_gets_for_ever_because_no_time_is_left() -> None:
    assert scene_run._timeout_s(Settings(PLATFORM, deadline=Deadline(0))) > 0


def test_without_a_compiler_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "passes")
    monkeypatch.setenv("CXX", "/nonexistent/g++")
    with pytest.raises(CompileError, match="COMPILER_MISSING"):
        run(tmp_path)


def test_without_a_cache_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path / "scenes", "passes")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHIPHOST_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(CacheError, match="CACHE_UNUSABLE"):
        run(tmp_path / "scenes")


def test_a_runtime_that_is_not_installed_is_the_scene_s_error(tmp_path: Path) -> None:
    write_scenes(tmp_path, "passes", moves="passes")
    (tmp_path / "unheard_of").mkdir()
    (tmp_path / RUNTIME / "moves").rename(tmp_path / "unheard_of" / "moves")
    results = run(tmp_path)
    assert results["passes"].passed
    assert "RUNTIME_UNKNOWN" in (results["moves"].error or "")


# The choice of scenes


@both_modes
def test_what_a_chip_cannot_do_is_skipped_by_name_and_with_the_reason(tmp_path: Path, parallel: bool) -> None:
    told = []

    class Listener(Watcher):
        def ended(self, result: SceneResult) -> None:
            told.append(result.name)

    write_scenes(tmp_path, "needs_more", "needs_less", "one_case_needs_more", "other_platform", "passes")
    # One that is for another platform is not even compiled.
    change(tmp_path, "other_platform", "kernel.cpp", "// fault", "nonsense;")
    entries = catalog.select(tmp_path, platform=PLATFORM)
    results = Runner(Settings(PLATFORM, retries=1), Listener()).run(entries, parallel=parallel)
    assert {result.name.partition("/")[2]: (result.passed, result.failed, result.skipped) for result in results} == {
        "needs_less": (True, False, None),
        "needs_more": (False, False, "needs 25 clusters, a2a3sim has 24"),
        "one_case_needs_more": (True, False, None),
        "other_platform": (False, False, "is for a5sim, not for a2a3sim"),
        "passes": (True, False, None),
    }
    by_case = {case.case: (case.passed, case.error, case.skipped) for case in results[2].cases}
    assert by_case == {
        "default": (True, None, None),
        "one": (False, None, "needs 5 AICPU threads, a2a3sim has 4"),
    }
    assert sorted(told) == [result.name for result in results]


def test_arrays_that_no_memory_of_the_chip_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChipWorker, "chip", Chip(24, 4, 100))
    result = run_one(write_scenes(tmp_path, "passes"))
    assert (result.passed, result.skipped) == (True, None)
    [large, _] = result.cases
    assert large.skipped == "its arrays have 128 bytes, a2a3sim has memory of 100"


def test_what_a_platform_says_it_has_not_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_thing(*_: object, **__: object) -> None:
        raise make_error("UNIMPLEMENTED", "no kernel can wait", "add.so")

    monkeypatch.setattr(ChipWorker, "run", no_such_thing)
    result = run_one(write_scenes(tmp_path, "passes"))
    assert result.skipped == "a2a3sim does not have it: add.so: no kernel can wait"


def test_a_platform_of_another_project_is_built_with_the_runtimes_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = tmp_path / "built" / "a2a3mars"
    (built / RUNTIME).mkdir(parents=True)
    (built / RUNTIME / "host.so").touch()
    (built / "platform.json").write_text('{"arch": "a2a3", "description": "mars"}')
    monkeypatch.setenv("CHIPHOST_RUNTIME_PATH", str(tmp_path / "built"))
    scenes = write_scenes(tmp_path / "scenes", "passes", "other_platform", moves="passes", simulated="other_platform")
    change(scenes, "simulated", "scene.py", '("a5sim",)', '("a2a3sim",)')
    (scenes / "unheard_of").mkdir()
    (scenes / RUNTIME / "moves").rename(scenes / "unheard_of" / "moves")
    entries = catalog.select(scenes, platform="a2a3mars")
    assert {entry.name: entry.not_for("a2a3mars") for entry in entries} == {
        f"{RUNTIME}/other_platform": "is for a5sim, not for a2a3mars",
        f"{RUNTIME}/passes": "",
        f"{RUNTIME}/simulated": "",  # the simulated chip stands for its family
        "unheard_of/moves": "needs the runtime unheard_of, which is not built for a2a3mars",
    }

# SPDX-License-Identifier: Apache-2.0
"""The program `chiphost`: what it prints, where, and how it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import c_libraries
import junitparser
import pytest
from click.testing import CliRunner, Result
from program import PROGRAM, SHELL, TIMEOUT_S, finish, in_terminal, interrupt, needs_shell, start
from throwaway_scenes import RUNTIME, warm_cache, write_scenes

from chiphost import __version__
from chiphost._cli.program import cli
from chiphost._runtimes import runtimes

both_modes = pytest.mark.parametrize("mode", [[], ["--parallel"]], ids=["serial", "parallel"])


def invoke(*words: str | Path) -> Result:
    result = CliRunner().invoke(cli, [str(word) for word in words], prog_name="chiphost")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def last_line(output: str) -> str:
    return output.splitlines()[-1]


# The program as a whole


def test_help_and_version() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    for command in ("run", "ci", "doctor", "bench"):
        assert re.search(rf"^  {command} ", result.output, re.MULTILINE)
        assert invoke(command, "--help").exit_code == 0
    assert invoke("--version").output == f"chiphost {__version__}\n"


def test_the_modules_of_commands_import_little() -> None:
    # chiphost/__init__.py imports what it likes; none of that is in the way here.
    script = """
import sys, types
package = types.ModuleType("chiphost")
package.__path__ = [sys.argv[1]]
sys.modules["chiphost"] = package
from click.testing import CliRunner
from chiphost._cli.program import cli
assert CliRunner().invoke(cli, ["ci", "--help"]).exit_code == 0
heavy = {"numpy", "rich", "junitparser", "chiphost._core"} & set(sys.modules)
assert not heavy, heavy
"""
    package = Path(runtimes.__file__).parent
    subprocess.run([sys.executable, "-c", script, str(package)], check=True, timeout=TIMEOUT_S)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nonsense"], "No such command"),
        (["conform"], "--platform"),
        (["ci", "-p", "a9sim"], "PLATFORM_UNKNOWN"),
        (["ci", "-p", "a2a3sim", "-r", "nope"], "RUNTIME_UNKNOWN"),
        (["ci", "-p", "a2a3sim", "-k", "nope"], "vector_example"),  # says what there is
        (["ci", "-p", "a2a3sim", "-t", "0"], "-t"),
        (["ci", "-p", "a2a3sim", "-t", "soon"], "-t"),
        (["ci", "-p", "a2a3sim", "-t", "nan"], "no number of seconds"),
        (["ci", "-p", "a2a3sim", "-t", "-inf"], "-t"),
        (["run", "vector_example", "--timeout", "nan"], "no number of seconds"),
        (["run", "vector_example", "--timeout", "-1"], "--timeout"),
        (["ci", "-p", "a2a3sim", "--retries", "-1"], "--retries"),
        (["ci", "-p", "a2a3sim", "--case", "random", "--all-cases"], "exclude each other"),
        (["ci", "-p", "a2a3sim", "--source", "."], "--source is for --build-runtime"),
        (["ci", "-p", "a2a3sim", "--build-runtime", "--source", "/nonexistent"], "no checkout of chiphost"),
        (["ci", "-p", "a2a3sim", "--seed", "-1"], "--seed"),
        (["ci", "-p", "a2a3sim", "--sim-threads", "0"], "--sim-threads"),
        (["ci", "-p", "a2a3sim", "--sim-threads", "65"], "1 to 64"),
        (["ci", "-p", "a2a3sim", "--isolation", "hope"], "--isolation"),
        (["ci", "-p", "a2a3sim", "--scenes", "/nonexistent"], "/nonexistent"),
        (["ci", "-p", "a2a3sim", "--scenes", "n" * 300], "there is no such folder of scenes"),
        (["ci", "-p", "a2a3sim", "--json", "/nonexistent/out.json"], "no folder /nonexistent"),
        (["ci", "-p", "a2a3sim", "--junit", "/"], "is a folder"),
        (["ci", "-p", "a2a3sim", "--json", "/dev/null", "--junit", "/dev/null"], "same file"),
        (["doctor", "--json", "/nonexistent/out.json"], "no folder /nonexistent"),
        (["bench", "--json", "/nonexistent/out.json"], "no folder /nonexistent"),
        (["run"], "name a scene"),
        (["run", "nope"], "there is no scene 'nope'"),
        (["run", "vector_exampel"], "did you mean 'vector_example'"),
        (["run", "vector_example", "-p", "a9sim"], "PLATFORM_UNKNOWN"),
        (["run", "vector_example", "-r", "nope"], "there is no scene 'nope/vector_example'"),
        (["run", "host_build_graph/vector_example", "--case", "nope"], "there is no case 'nope'"),
        (["run", "vector_example", "--case", "random", "--all-cases"], "exclude each other"),
        (["run", "vector_example", "--rounds", "0"], "--rounds"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_2_and_says_why(words: list[str], reason: str, scenes_root: Path) -> None:
    result = CliRunner(env={"CHIPHOST_SCENES_DIR": str(scenes_root)}).invoke(cli, words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert reason in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [("CXX", "/nonexistent/g++", "COMPILER_MISSING"), ("CHIPHOST_CACHE_DIR", "/dev/null", "CACHE_UNUSABLE")],
)
@pytest.mark.parametrize("words", [["ci", "-p", "a2a3sim"], ["run", "passes"], ["bench"]], ids=lambda words: words[0])
def test_an_environment_that_cannot_work_is_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str, words: list[str]
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("CHIPHOST_SCENES_DIR", str(write_scenes(tmp_path, "passes")))
    result = invoke(*words)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert "hint: " in result.stderr


def test_a_traceback_only_for_those_who_ask() -> None:
    assert "Traceback" not in finish("ci", "-p", "a9sim")[2]
    code, _, err = finish("ci", "-p", "a9sim", CHIPHOST_DEBUG="1")
    assert code == 2
    assert "Traceback" in err
    assert "PLATFORM_UNKNOWN" in err


# ci


FAILING = ("wrong_golden", "returns_error", "throws", "does_not_compile", "invalid")


@both_modes
def test_ci_reports_each_failure_and_goes_on(tmp_path: Path, mode: list[str]) -> None:
    scenes = write_scenes(tmp_path / "scenes", *FAILING, "passes", "other_platform")
    files = (tmp_path / "out.json", tmp_path / "out.xml")
    options = ["--scenes", scenes, "--seed", "7", "--json", files[0], "--junit", files[1], *mode]
    result = invoke("ci", "-p", "a2a3sim", *options)
    assert result.exit_code == 1
    assert last_line(result.stdout) == "Total: 7  Passed: 1  Failed: 5  Skipped: 1"
    assert re.search(
        rf"^SKIP  {RUNTIME}/other_platform .*\n +is for a5sim, not for a2a3sim$", result.stdout, re.MULTILINE
    )
    for name in FAILING:
        assert re.search(rf"^FAIL  {RUNTIME}/{name} ", result.stdout, re.MULTILINE)
    assert re.search(rf"^PASS  {RUNTIME}/passes ", result.stdout, re.MULTILINE)
    replay = f"again: chiphost run {RUNTIME}/throws -p a2a3sim --all-cases --seed 7 --scenes {scenes}"
    assert replay in result.stdout

    report = json.loads(files[0].read_text())
    assert (report["total"], report["passed"], report["failed"], report["skipped"]) == (7, 1, 5, 1)
    reasons = {scene["name"].partition("/")[2]: scene["error"] for scene in report["scenes"]}
    assert reasons.pop("passes") is reasons.pop("other_platform") is None
    assert sorted(reasons) == sorted(FAILING)
    assert "GOLDEN_MISMATCH" in reasons["wrong_golden"]
    assert "returned 42" in reasons["returns_error"]
    assert "kernel says no" in reasons["throws"]
    assert "nonsense" in reasons["does_not_compile"]
    assert "undefined" in reasons["invalid"]
    assert {scene["seed"] for scene in report["scenes"]} == {7}

    cases = [case for suite in junitparser.JUnitXml.fromfile(str(files[1])) for case in suite]
    assert len(cases) == 2 * 6 + 1
    assert {case.classname for case in cases if not case.result} == {f"a2a3sim.{RUNTIME}/passes"}


def test_the_command_that_ci_names_fails_in_the_same_way(tmp_path: Path) -> None:
    write_scenes(tmp_path, "wrong_golden")
    output = invoke("ci", "-p", "a2a3sim", "--scenes", tmp_path, "--seed", "5").stdout
    worst = next(line.strip() for line in output.splitlines() if "worst" in line)
    [command] = re.findall("again: chiphost (.*)", output)
    again = invoke(*command.split())
    assert again.exit_code == 1
    assert worst in again.stdout


@pytest.mark.parametrize("isolation", ["namespace", "copy", "process", "auto"])
def test_ci_in_every_isolation(tmp_path: Path, isolation: str) -> None:
    write_scenes(tmp_path, "passes")
    assert invoke("ci", "-p", "a2a3sim", "--scenes", tmp_path, "--isolation", isolation).exit_code == 0


def test_ci_selects_by_text_and_runtime(tmp_path: Path) -> None:
    write_scenes(tmp_path, "passes", "throws")
    result = invoke("ci", "-p", "a2a3sim", "--scenes", tmp_path, "-k", "Passes", "-r", RUNTIME)
    assert (result.exit_code, last_line(result.stdout)) == (0, "Total: 1  Passed: 1  Failed: 0")


def test_rows_are_in_order(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path, **{f"s{index}": "passes" for index in range(6)}, a_slow="three_rounds")
    result = invoke("ci", "-p", "a2a3sim", "--scenes", scenes, "--parallel")
    rows = re.findall(rf"^PASS  {RUNTIME}/(\w+)", result.stdout, re.MULTILINE)
    assert rows == ["a_slow", *(f"s{index}" for index in range(6))]


@both_modes
def test_a_retried_pass_is_shown(tmp_path: Path, mode: list[str]) -> None:
    scenes = write_scenes(tmp_path / "scenes", "flaky", "passes")
    options = ["ci", "-p", "a2a3sim", "--scenes", scenes, "--json", tmp_path / "out.json", *mode]
    assert invoke(*options).exit_code == 1
    result = invoke(*options, "--retries", "1")
    assert result.exit_code == 0
    assert last_line(result.stdout) == "Total: 2  Passed: 2  Failed: 0  Retried: 1"
    assert re.search(
        rf"^PASS  {RUNTIME}/flaky .* s  1 retry\n      case 'default' passed when run", result.stdout, re.M
    )
    assert re.search(rf"^PASS  {RUNTIME}/passes .* s$", result.stdout, re.M)
    flaky, passes = json.loads((tmp_path / "out.json").read_text())["scenes"]
    assert [len(case["earlier_errors"]) for case in flaky["cases"] + passes["cases"]] == [1, 0, 0, 0]


# A project that "builds" the runtimes by copying the installed ones.
CHECKOUT = """
cmake_minimum_required(VERSION 3.20)
project(chiphost LANGUAGES NONE)
foreach(program IN ITEMS host aicpu aicore)
    set(to "${CMAKE_BINARY_DIR}/lib/a2a3sim/fresh/${program}.so")
    set(from "${CMAKE_SOURCE_DIR}/${program}.so")
    add_custom_command(OUTPUT "${to}" DEPENDS "${from}" COMMAND ${CMAKE_COMMAND} -E copy "${from}" "${to}")
    list(APPEND programs "${to}")
endforeach()
add_custom_target(programs ALL DEPENDS ${programs})
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if not shutil.which("cmake"):
        pytest.skip("there is no cmake")
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(CHECKOUT)
    files = runtimes.find(RUNTIME, "a2a3sim")
    for file in (files.host, files.aicpu, files.aicore):
        shutil.copy(file, folder)
    write_scenes(tmp_path / "scenes", "passes", "wrong_golden")
    (tmp_path / "scenes" / RUNTIME).rename(tmp_path / "scenes" / "fresh")  # a runtime that is not installed
    return folder


def test_runtimes_are_built_from_source_and_used(checkout: Path) -> None:
    words = ["ci", "-p", "a2a3sim", "--scenes", checkout.parent / "scenes", "-r", "fresh"]
    assert finish(*words)[0] == 2  # RUNTIME_UNKNOWN
    code, out, err = finish(*words, "--build-runtime", "--source", checkout)
    assert (code, err) == (1, "")
    assert out.startswith(f"Built runtimes from {checkout} in ")
    assert last_line(out) == "Total: 2  Passed: 1  Failed: 1"
    library = checkout / "build" / "runtimes" / "lib"
    assert f"again: CHIPHOST_LIB_DIR={library} chiphost run fresh/wrong_golden" in out

    built = {path: path.stat().st_mtime_ns for path in library.rglob("*.so")}
    assert len(built) == 3
    (checkout / "host.so").touch()
    (checkout / "sub").mkdir()
    code, out, _ = finish(*words, "--build-runtime", "-k", "passes", directory=checkout / "sub")
    assert (code, last_line(out)) == (0, "Total: 1  Passed: 1  Failed: 0")
    assert [path.name for path, time in built.items() if path.stat().st_mtime_ns != time] == ["host.so"]


def test_a_build_that_fails_says_why(checkout: Path) -> None:
    words = ["ci", "-p", "a2a3sim", "--scenes", checkout.parent / "scenes", "--build-runtime"]
    (checkout / "aicpu.so").unlink()
    code, out, err = finish(*words, "--source", checkout)
    assert (code, out) == (2, "")
    assert "COMPILE_FAILED" in err
    assert "aicpu.so" in err
    code, out, err = finish(*words, directory=checkout.parent / "scenes")
    assert (code, out) == (2, "")
    assert "name it with --source" in err
    code, out, err = finish(*words, "--source", checkout, PATH="/nonexistent")
    assert code == 2 or (Path(sys.executable).parent / "cmake").exists()


def test_the_deadline_includes_building(checkout: Path) -> None:
    (checkout / "CMakeLists.txt").write_text(f"{CHECKOUT}\nexecute_process(COMMAND sleep 60)\n")
    words = ["ci", "-p", "a2a3sim", "--scenes", checkout.parent / "scenes", "-r", RUNTIME, "--build-runtime"]
    report = checkout.parent / "out.json"
    (checkout.parent / "scenes" / "fresh").rename(checkout.parent / "scenes" / RUNTIME)
    code, out, _ = finish(*words, "--source", checkout, "-t", "1", "--json", report)
    assert (code, last_line(out)) == (1, "Total: 2  Passed: 0  Failed: 2")
    errors = {scene["error"] for scene in json.loads(report.read_text())["scenes"]}
    assert errors == {"not started: the deadline of 1 s was over"}


@both_modes
def test_a_hanging_kernel_meets_the_deadline(tmp_path: Path, mode: list[str]) -> None:
    scenes = write_scenes(tmp_path / "scenes", "hangs", a_passes="passes")
    warm_cache(scenes)
    code, out, _ = finish("ci", "-p", "a2a3sim", "--scenes", scenes, "-t", "5", "--json", tmp_path / "out.json", *mode)
    assert code == 1
    assert last_line(out) == "Total: 2  Passed: 1  Failed: 1"
    [error] = [scene["error"] for scene in json.loads((tmp_path / "out.json").read_text())["scenes"] if scene["error"]]
    assert error.startswith("case 'default': stopped: the deadline of 5 s was over: DEADLINE_EXCEEDED")
    assert "(func_id 0) of task 0" in error
    assert error.endswith("not started: the deadline of 5 s was over")  # its second case


@both_modes
def test_a_scene_that_hangs_when_it_is_loaded_meets_the_deadline(tmp_path: Path, mode: list[str]) -> None:
    scenes = write_scenes(tmp_path / "scenes", "hangs_when_loaded", a_passes="passes", z_passes="passes")
    command = ["ci", "-p", "a2a3sim", "--scenes", scenes, "-t", "2", "--json", tmp_path / "out.json", *mode]
    code, out, err = finish(*command)
    assert (code, err, last_line(out)) == (1, "", "Total: 3  Passed: 0  Failed: 3")
    reported = json.loads((tmp_path / "out.json").read_text())["scenes"]
    assert [scene["error"].partition(":")[0] for scene in reported] == ["not started", "stopped", "not started"]


def test_in_turn_what_comes_after_a_hang_is_not_started(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "hangs", z_passes="passes")
    warm_cache(scenes)
    code, out, _ = finish("ci", "-p", "a2a3sim", "--scenes", scenes, "-t", "4")
    assert code == 1
    assert re.search(rf"FAIL  {RUNTIME}/z_passes .*\n      not started: the deadline of 4 s was over", out)
    assert last_line(out) == "Total: 2  Passed: 0  Failed: 2"


def test_a_poisoned_worker_is_replaced(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "hangs", z_passes="passes")
    warm_cache(scenes)
    script = """
import sys
from pathlib import Path
from chiphost.scenes import catalog
from chiphost.scenes.runner import Runner
from chiphost.scenes.results import Settings
entries = catalog.select(Path(sys.argv[1]), platform="a2a3sim")
for result in Runner(Settings("a2a3sim", timeout_s=0.5)).run(entries):
    print(result.name, *(case.error.split()[0] if case.error else "passed" for case in result.cases))
"""
    command = [sys.executable, "-c", script, str(scenes)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.stdout.splitlines() == [
        f"{RUNTIME}/hangs DEADLINE_EXCEEDED DEADLINE_EXCEEDED",  # and not POISONED
        f"{RUNTIME}/z_passes passed passed",
    ], done.stderr


def test_python_code_that_hangs_in_a_thread_does_not_keep_the_program(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "hangs_in_python", "passes")
    warm_cache(scenes)
    code, out, err = finish("ci", "-p", "a2a3sim", "--scenes", scenes, "-t", "4", "--parallel")
    assert code == 1
    assert "case 'default': stopped: the deadline of 4 s was over" in out
    assert (last_line(out), err) == ("Total: 2  Passed: 1  Failed: 1", "")


@both_modes
def test_ctrl_c_reports_what_is_done(tmp_path: Path, mode: list[str]) -> None:
    scenes = write_scenes(tmp_path / "scenes", "hangs", a_passes="passes")
    with start("ci", "-p", "a2a3sim", "--scenes", scenes, "--json", tmp_path / "out.json", *mode) as process:
        assert process.stdout is not None
        first = process.stdout.readline()  # rows are not kept back until the end
        assert first.startswith(f"PASS  {RUNTIME}/a_passes")
        code, out, err = interrupt(process)
    assert code == 130
    # Whether the second scene has begun is a matter of luck.
    assert re.fullmatch(rf"chiphost: interrupted( in {RUNTIME}/hangs)?; 1 of 2 scenes had ended\n", err)
    assert last_line(out) == "Total: 2  Passed: 1  Failed: 1"
    assert "FAIL" not in out  # one line says it all
    scenes_reported = json.loads((tmp_path / "out.json").read_text())["scenes"]
    assert [scene["passed"] for scene in scenes_reported] == [True, False]
    assert "interrupted" in scenes_reported[1]["error"]


# Ends that nobody planned


@pytest.mark.parametrize(
    ("kind", "how", "case"),
    [
        ("leaves", "exit code 0", "one"),
        ("leaves_at_once", "exit code 0", "default"),
        ("leaves_in_python", "exit code 0", "default"),
        ("crashes", "signal 11", "default"),
        ("aborts", "signal 6", "default"),
    ],
)
@pytest.mark.parametrize("isolation", ["namespace", "copy"])
def test_a_kernel_that_ends_the_process_is_no_success(
    tmp_path: Path, kind: str, how: str, case: str, isolation: str
) -> None:
    write_scenes(tmp_path, kind)
    code, _, err = finish("run", kind, "--all-cases", "--scenes", tmp_path, "--isolation", isolation)
    assert code == 3
    assert re.search(f"^chiphost: the process ended early, with {how}", err, re.M)
    named = re.match(r"chiphost: SIG\w+ .*in kernel kernel \(func_id 0\) of task 0 on core \d+\n", err)
    assert bool(named) == how.startswith("signal")
    assert f"{RUNTIME}/{kind}, case {case!r} was running" in err
    assert "Traceback" not in err


@both_modes
def test_ci_reports_what_was_done_before_a_crash(tmp_path: Path, mode: list[str]) -> None:
    scenes = write_scenes(tmp_path / "scenes", "leaves", a_passes="passes", z_passes="passes")
    files = (tmp_path / "out.json", tmp_path / "out.xml")
    words = ["ci", "-p", "a2a3sim", "--scenes", scenes, "--json", files[0], "--junit", files[1], "--seed", "3", *mode]
    code, out, err = finish(*words)
    assert code == 3
    assert "case 'one' was running" in err or "one of these was running" in err
    assert f"again: chiphost run {RUNTIME}/leaves -p a2a3sim --case one --seed 3 --scenes {scenes}" in err
    results = {scene["name"].partition("/")[2]: scene for scene in json.loads(files[0].read_text())["scenes"]}
    assert list(results) == ["a_passes", "leaves", "z_passes"]
    assert results["leaves"]["error"] == "case 'one': the process ended early, with exit code 0"
    assert [case["passed"] for case in results["leaves"]["cases"]] == [True, False]
    if not mode:
        assert results["a_passes"]["passed"]
        assert results["z_passes"]["error"].endswith("not started: the program ended early")
        assert last_line(out) == "Total: 3  Passed: 1  Failed: 2"
    failed = [case.name for suite in junitparser.JUnitXml.fromfile(str(files[1])) for case in suite if case.result]
    assert "one" in failed


@pytest.mark.parametrize("words", [["ci", "-p", "a2a3sim"], ["run", "leaves_when_loaded"]], ids=lambda words: words[0])
def test_a_description_that_ends_the_process_is_no_success(tmp_path: Path, words: list[str]) -> None:
    report = tmp_path / "out.json"
    reports = ["--json", report] if words[0] == "ci" else []
    code, _, err = finish(*words, "--scenes", write_scenes(tmp_path, "leaves_when_loaded"), *reports)
    assert code == 3
    assert f"the description of {RUNTIME}/leaves_when_loaded was being read" in err
    if reports:
        [scene] = json.loads(report.read_text())["scenes"]
        assert scene["name"] == f"{RUNTIME}/leaves_when_loaded"
        assert scene["error"] == "the process ended early, with exit code 0"


def test_a_crash_leaves_a_cursor_in_the_terminal(tmp_path: Path) -> None:
    code, shown = in_terminal(["ci", "-p", "a2a3sim", "--scenes", write_scenes(tmp_path, "crashes")])
    assert code == 3
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("words", [["ci", "-p", "a2a3sim"], ["run", "passes"]], ids=lambda words: words[0])
def test_a_signal_during_compiling_leaves_nothing(tmp_path: Path, number: signal.Signals, words: list[str]) -> None:
    scenes = write_scenes(tmp_path / "scenes", "passes")
    compiler, started, temporary = tmp_path / "g++", tmp_path / "started", tmp_path / "tmp"
    real = c_libraries.compiler()
    compiler.write_text(f'#!/bin/sh\ncase "$*" in *-MD*) echo $$ >> {started}; sleep 60;; *) exec {real} "$@";; esac\n')
    compiler.chmod(0o700)
    temporary.mkdir()
    settings = {"CXX": str(compiler), "CHIPHOST_CACHE_DIR": str(tmp_path / "cache"), "TMPDIR": str(temporary)}
    with start(*words, "--scenes", scenes, **settings) as process:
        wait_for(lambda: started.exists() and started.read_text().endswith("\n"))
        assert list(temporary.iterdir())
        process.send_signal(number)
        _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 128 + number
    assert "Traceback" not in err
    assert not list(temporary.iterdir())
    wait_for(lambda: not any(is_alive(int(each)) for each in started.read_text().split()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_a_kernel_hangs_reports_what_is_done(tmp_path: Path, number: signal.Signals) -> None:
    scenes = write_scenes(tmp_path / "scenes", "hangs", a_passes="passes")
    with start("ci", "-p", "a2a3sim", "--scenes", scenes, "--json", tmp_path / "out.json") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"PASS  {RUNTIME}/a_passes")
        process.send_signal(number)
        out, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 128 + number
    assert last_line(out) == "Total: 2  Passed: 1  Failed: 1"
    assert [scene["passed"] for scene in json.loads((tmp_path / "out.json").read_text())["scenes"]] == [True, False]


def test_a_killed_program_leaves_no_process(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "hangs", a_passes="passes")
    with start("ci", "-p", "a2a3sim", "--scenes", scenes) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        [working] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.kill()
    wait_for(lambda: not is_alive(int(working)))


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    "words",
    [["ci", "-p", "a2a3sim", "--json", "out.json"], ["run", "passes"], ["run", "--list"], ["--help"]],
    ids=" ".join,
)
def test_a_full_disk(tmp_path: Path, words: list[str]) -> None:
    write_scenes(tmp_path, "passes")
    environment = {**os.environ, "CHIPHOST_SCENES_DIR": str(tmp_path)}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, *words],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            timeout=TIMEOUT_S,
        )
    assert done.stderr == "chiphost: cannot write standard output: No space left on device\n"
    assert done.returncode == 4
    if "--json" in words:
        assert json.loads((tmp_path / "out.json").read_text())["passed"] == 1


@pytest.mark.parametrize("words", [["ci", "-p", "a2a3sim"], ["run", "--list"], ["--help"], ["doctor"]], ids=" ".join)
def test_a_reader_that_goes_away(tmp_path: Path, words: list[str]) -> None:
    write_scenes(tmp_path, "passes", "throws")
    with start(*words, CHIPHOST_SCENES_DIR=str(tmp_path)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        process.wait(timeout=TIMEOUT_S)
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


def test_without_a_standard_output(tmp_path: Path) -> None:
    write_scenes(tmp_path, "passes")
    command = [*PROGRAM, "ci", "-p", "a2a3sim", "--scenes", str(tmp_path)]
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *command], capture_output=True, timeout=TIMEOUT_S)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_locale_that_cannot_say_what_a_compiler_says(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "does_not_compile")
    kernel = scenes / RUNTIME / "does_not_compile" / "kernel.cpp"
    kernel.write_text(kernel.read_text().replace("nonsense;", '#error "größer"'))
    code, out, err = finish("ci", "-p", "a2a3sim", "--scenes", scenes, PYTHONIOENCODING="ascii")
    assert (code, last_line(out)) == (1, "Total: 1  Passed: 0  Failed: 1"), err
    assert "gr\\xf6\\xdfer" in out


def test_a_report_that_cannot_be_written_after_all_is_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chiphost._reports.file import ReportFile

    def fail(self: ReportFile, content: str) -> None:
        raise OSError("no room")

    monkeypatch.setattr(ReportFile, "write", fail)
    scenes = write_scenes(tmp_path / "scenes", "passes")
    result = invoke("ci", "-p", "a2a3sim", "--scenes", scenes, "--json", tmp_path / "out.json")
    assert result.exit_code == 2
    assert last_line(result.stdout) == "Total: 1  Passed: 1  Failed: 0"
    assert "no room" in result.stderr


def test_a_report_to_standard_output_comes_before_the_last_line(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "passes")
    words = ["ci", "-p", "a2a3sim", "--scenes", scenes, "--json", "/dev/stdout"]
    code, out, _ = finish(*words)  # a pipe
    assert code == 0
    row, time_line, json_and_total = out.split("\n", 2)
    assert (row[:6], time_line[:6]) == ("PASS  ", "Time: ")
    assert json.loads(json_and_total[: json_and_total.index("Total: ")])["passed"] == 1

    log = tmp_path / "log"
    with log.open("w") as file:
        file.write("before\n")
        file.flush()
        done = subprocess.run([*PROGRAM, *map(str, words)], stdout=file, timeout=TIMEOUT_S)
    assert done.returncode == 0
    first, row, _, json_and_total = log.read_text().split("\n", 3)
    assert (first, row[:6]) == ("before", "PASS  ")
    assert json.loads(json_and_total[: json_and_total.index("Total: ")])["passed"] == 1


@needs_shell
def test_a_report_to_a_pipe_that_the_shell_made(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "passes")
    command = [*PROGRAM, "ci", "-p", "a2a3sim", "--scenes", str(scenes)]
    script = f'"$@" --json >(cat > {tmp_path}/out.json); wait'
    subprocess.run([SHELL, "-c", script, SHELL, *command], check=True, timeout=TIMEOUT_S)
    report = tmp_path / "out.json"
    wait_for(lambda: report.exists() and report.read_text().endswith("}\n"))
    assert json.loads(report.read_text())["passed"] == 1


def test_doctor_reports_to_standard_output() -> None:
    code, out, _ = finish("doctor", "--json", "/dev/stdout")
    assert code == 0
    assert json.JSONDecoder().raw_decode(out)[0]["ok"] is True
    assert last_line(out) == "This machine can run the simulated platforms."


@pytest.mark.parametrize("timeout", ["inf", "1e300"])
def test_an_infinite_deadline_is_none(tmp_path: Path, timeout: str) -> None:
    scenes = write_scenes(tmp_path, "passes")
    assert invoke("ci", "-p", "a2a3sim", "--scenes", scenes, "-t", timeout).exit_code == 0
    assert invoke("run", "passes", "--scenes", scenes, "--timeout", timeout).exit_code == 0


# In a terminal and in a pipe


def test_a_terminal_gets_colours_and_a_bar_and_a_pipe_plain_lines(tmp_path: Path) -> None:
    words = ["ci", "-p", "a2a3sim", "--scenes", write_scenes(tmp_path, "passes", "throws")]
    code, shown = in_terminal(words)
    assert code == 1
    assert "\x1b[32mPASS\x1b[0m" in shown
    assert "\x1b[?25l" in shown  # the bar hides the cursor
    assert "━" in shown
    assert last_line(shown).endswith("Total: 2  Passed: 1  Failed: 1")
    code, out, _ = finish(*words)
    assert code == 1
    assert "\x1b" not in out
    assert "━" not in out


def test_no_color_is_respected(tmp_path: Path) -> None:
    words = ["ci", "-p", "a2a3sim", "--scenes", write_scenes(tmp_path, "passes")]
    assert not re.search(r"\x1b\[[0-9;]*m", in_terminal(words, NO_COLOR="1")[1])


def test_a_terminal_that_cannot_move_its_cursor_gets_no_bar(tmp_path: Path) -> None:
    words = ["ci", "-p", "a2a3sim", "--scenes", write_scenes(tmp_path, "passes")]
    _, shown = in_terminal(words, TERM="dumb")
    assert "\x1b" not in shown
    assert shown.splitlines()[2:] == ["Total: 1  Passed: 1  Failed: 0"]


def test_ci_runs_the_cases_that_are_named(tmp_path: Path) -> None:
    write_scenes(tmp_path, "passes", "throws")
    other = tmp_path / RUNTIME / "throws" / "scene.py"
    other.write_text(other.read_text().replace('"one":', '"two":'))
    result = invoke("ci", "--scenes", tmp_path, "--case", "one", "--case", "one", "--json", tmp_path / "json")
    assert result.exit_code == 0, result.output
    assert re.search(rf"^PASS  {RUNTIME}/passes +1 case ", result.stdout, re.MULTILINE)
    assert re.search(rf"^SKIP  {RUNTIME}/throws .*\n +has no case 'one'$", result.stdout, re.MULTILINE)
    passed, skipped = json.loads((tmp_path / "json").read_text())["scenes"]
    assert [case["case"] for case in passed["cases"]] == ["one"]
    assert (skipped["cases"], skipped["skipped"], skipped["passed"]) == ([], "has no case 'one'", False)
    result = invoke("ci", "--scenes", tmp_path, "--case", "two")
    assert result.exit_code == 1
    assert f"again: chiphost run {RUNTIME}/throws -p a2a3sim --case two --seed 0" in result.stdout
    result = invoke("ci", "--scenes", tmp_path, "--case", "ona")
    assert result.exit_code == 2
    assert "no scene that is selected has a case 'ona'; there are default, one, two" in result.stderr
    assert "did you mean 'one'?" in result.stderr


# run


def test_run_runs_the_default_case(tmp_path: Path) -> None:
    write_scenes(tmp_path, "passes")
    result = invoke("run", f"{RUNTIME}/passes", "--scenes", tmp_path)
    assert result.exit_code == 0
    title, case = result.stdout.splitlines()
    assert title == f"{RUNTIME}/passes on a2a3sim: out = x + 1"
    assert re.fullmatch(r"PASS  default +1 task +\d+\.\d+ s", case)


def test_run_runs_the_cases_that_are_named(tmp_path: Path) -> None:
    write_scenes(tmp_path, "passes")

    def cases(*words: str) -> list[str]:
        result = invoke("run", "passes", "--scenes", tmp_path, *words)
        assert result.exit_code == 0
        return [line.split()[1] for line in result.stdout.splitlines()[1:]]

    assert cases("--case", "one") == ["one"]
    assert cases("--case", "one", "--case", "default", "--case", "one") == ["one", "default"]
    assert cases("--all-cases") == ["default", "one"]
    assert cases("-p", "a5sim", "-r", RUNTIME, "--seed", "3", "--sim-threads", "2") == ["default"]


def test_run_repeats(tmp_path: Path) -> None:
    write_scenes(tmp_path, "passes")
    assert "3 rounds" in invoke("run", "passes", "--scenes", tmp_path, "--rounds", "3").stdout


@pytest.mark.parametrize(
    ("name", "reason"), [("throws", "kernel says no"), ("invalid", "undefined"), ("does_not_compile", "nonsense")]
)
def test_run_of_a_scene_that_fails_is_1(tmp_path: Path, name: str, reason: str) -> None:
    result = invoke("run", name, "--scenes", write_scenes(tmp_path, name))
    assert result.exit_code == 1
    assert "FAIL  " in result.stdout
    assert reason in result.stdout


def test_run_on_a_platform_that_the_scene_is_not_for(tmp_path: Path) -> None:
    result = invoke("run", "other_platform", "--scenes", write_scenes(tmp_path, "other_platform"))
    assert result.exit_code == 2
    assert "the scene is for a5sim, not for a2a3sim" in result.stderr


def test_what_a_chip_is_too_small_for_is_skipped(tmp_path: Path) -> None:
    write_scenes(tmp_path, "needs_more", "one_case_needs_more")
    why = "needs 25 clusters, a2a3sim has 24"
    for words in (["run", "needs_more"], ["ci", "-k", "needs_more", "-r", RUNTIME]):
        result = invoke(*words, "--scenes", tmp_path)
        if words[0] == "run":  # nothing but this one
            assert (result.exit_code, result.stderr) == (
                2, f"chiphost: nothing was run: {RUNTIME}/needs_more is skipped on a2a3sim\n",
            )  # fmt: skip
        else:
            assert (result.exit_code, result.stderr) == (0, "")
            assert last_line(result.stdout) == "Total: 2  Passed: 1  Failed: 0  Skipped: 1"
            assert "case 'one' skipped: needs 5 AICPU threads, a2a3sim has 4" in result.stdout
        assert re.search(rf"^SKIP  .*\n +{why}$", result.stdout, re.MULTILINE)


def test_run_stops_a_kernel_that_hangs(tmp_path: Path) -> None:
    code, out, _ = finish("run", "hangs", "--scenes", write_scenes(tmp_path, "hangs"), "--timeout", "0.5")
    assert code == 1
    assert "DEADLINE_EXCEEDED" in out


def test_list_shows_every_scene(tmp_path: Path) -> None:
    write_scenes(tmp_path, "passes", "invalid")
    result = invoke("run", "--list", "--scenes", tmp_path)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-4:] == [
        f"{RUNTIME}/passes",
        "      out = x + 1",
        "      cases: default (default), one",
        "      platforms: all",
    ]
    assert "SCENE_INVALID" in result.stdout
    assert RUNTIME in invoke("run", "passes", "--list", "--scenes", tmp_path).stdout
    assert invoke("run", "--list", "--scenes", tmp_path, "-r", "other").stdout == ""


# doctor


def test_doctor_on_a_machine_that_works(tmp_path: Path) -> None:
    result = invoke("doctor", "--json", tmp_path / "doctor.json")
    assert result.exit_code == 0, result.output
    assert last_line(result.stdout) == "This machine can run the simulated platforms."
    found = json.loads((tmp_path / "doctor.json").read_text())
    assert (found["ok"], found["problems"], found["version"]) == (True, [], __version__)
    assert {(load["platform"], load["runtime"]) for load in found["runtimes"]} == {
        (platform, name)
        for platform, names in runtimes.installed().items()
        for name in names
        if platform not in runtimes.ONBOARD
    }
    assert all(load["ok"] for load in found["runtimes"])
    assert sum(compiler["used"] for compiler in found["compilers"]) == 1
    assert found["namespaces"]["problem"] == ""
    assert found["cache"]["root"] == os.environ["CHIPHOST_CACHE_DIR"]


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("CXX", "/nonexistent/g++", "no C++ compiler works"),
        ("CHIPHOST_CACHE_DIR", "/dev/null", "the compile cache cannot be used"),
        ("CHIPHOST_CACHE_DIR", "/proc/nowhere", "the compile cache cannot be used"),
        (
            "CHIPHOST_LIB_DIR",
            "/nonexistent",
            "no runtime is installed for a2a3sim in /nonexistent (CHIPHOST_LIB_DIR), which is no folder",
        ),
    ],
)
def test_doctor_finds_what_is_missing(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str) -> None:
    monkeypatch.setenv(variable, value)
    result = invoke("doctor")
    assert result.exit_code == 1
    assert last_line(result.stdout).startswith("This machine cannot run the simulated platforms: ")
    assert reason in last_line(result.stdout)


def test_doctor_reports_a_runtime_that_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = runtimes.library_dir()
    for platform, names in runtimes.installed().items():
        for name in names if platform not in runtimes.ONBOARD else ():
            (tmp_path / platform / name).mkdir(parents=True)
            for file in (original / platform / name).iterdir():
                (tmp_path / platform / name / file.name).write_bytes(file.read_bytes()[:100])
    (tmp_path / "chiphost_anchor.so").symlink_to(original / "chiphost_anchor.so")
    monkeypatch.setenv("CHIPHOST_LIB_DIR", str(tmp_path))
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "FILE_TRUNCATED" in result.stdout
    assert f"{RUNTIME} cannot be loaded for a2a3sim" in last_line(result.stdout)

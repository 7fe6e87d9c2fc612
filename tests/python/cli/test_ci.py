# SPDX-License-Identifier: Apache-2.0
"""`chiphost ci`: failures, choices, deadlines and interruptions."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import junitparser
import pytest
from invocation import invoke, last_line
from program import TIMEOUT_S, both_modes, finish, interrupt, start
from throwaway_scenes import RUNTIME, warm_cache, write_scenes

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


@both_modes
def test_a_hanging_kernel_meets_the_deadline(tmp_path: Path, mode: list[str]) -> None:
    scenes = write_scenes(tmp_path / "scenes", "hangs", a_passes="passes")
    warm_cache(scenes)
    code, out, _ = finish("ci", "-p", "a2a3sim", "--scenes", scenes, "-t", "5", "--json", tmp_path / "out.json", *mode)
    assert code == 1
    assert last_line(out) == "Total: 2  Passed: 1  Failed: 1"
    [error] = [scene["error"] for scene in json.loads((tmp_path / "out.json").read_text())["scenes"] if scene["error"]]
    assert error.startswith("case 'default': stopped: the deadline of 5 s was over: DEADLINE_EXCEEDED")
    assert "of submit #0" in error
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
    # It is a matter of luck if the second scene has begun.
    assert re.fullmatch(rf"chiphost: interrupted( in {RUNTIME}/hangs)?; 1 of 2 scenes had ended\n", err)
    assert last_line(out) == "Total: 2  Passed: 1  Failed: 1"
    assert "FAIL" not in out  # one line says it all
    scenes_reported = json.loads((tmp_path / "out.json").read_text())["scenes"]
    assert [scene["passed"] for scene in scenes_reported] == [True, False]
    assert "interrupted" in scenes_reported[1]["error"]


@pytest.mark.parametrize("timeout", ["inf", "1e300"])
def test_an_infinite_deadline_is_none(tmp_path: Path, timeout: str) -> None:
    scenes = write_scenes(tmp_path, "passes")
    assert invoke("ci", "-p", "a2a3sim", "--scenes", scenes, "-t", timeout).exit_code == 0
    assert invoke("run", "passes", "--scenes", scenes, "--timeout", timeout).exit_code == 0


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

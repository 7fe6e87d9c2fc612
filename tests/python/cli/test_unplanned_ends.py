# SPDX-License-Identifier: Apache-2.0
"""Ends that nobody planned: crashes, signals, and processes that are killed."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import c_libraries
import junitparser
import pytest
from invocation import last_line
from processes import is_alive, wait_for
from program import TIMEOUT_S, both_modes, finish, in_terminal, start
from throwaway_scenes import RUNTIME, write_scenes


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
    named = re.match(r"chiphost: SIG\w+ .*in kernel `kernel` of submit #0 on core \d+\n", err)
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

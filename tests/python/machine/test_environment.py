# SPDX-License-Identifier: Apache-2.0
"""Environments in which nothing can run, and those in which everything can run all the same."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from foreign_user import FOREIGN_USER, as_root
from throwaway_scenes import write_scenes

from chiphost._cli import program as cli
from chiphost._machine import temp_folder
from chiphost._runtimes import build as runtime_build
from chiphost.errors import ArgumentError

TIMEOUT_S = 120


def chiphost(*words: str | Path, **options: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "chiphost", *words],
        capture_output=True,
        text=True,
        env={**os.environ, **options},
        timeout=TIMEOUT_S,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("CHIPHOST_LIB_DIR", "/nonexist", "RUNTIME_UNKNOWN"),
        ("CHIPHOST_RING_TASK_WINDOW", "many", "CHIPHOST_RING_TASK_WINDOW: wanted a number"),
        ("CHIPHOST_RING_HEAP_BYTES", "-1", "CHIPHOST_RING_HEAP_BYTES: wanted a number"),
    ],
)
@pytest.mark.parametrize("words", [["ci", "-p", "a2a3sim"], ["run", "passes"]], ids=lambda words: words[0])
def test_an_environment_that_cannot_work_is_2(
    tmp_path: Path, words: list[str], variable: str, value: str, reason: str
) -> None:
    code, out, err = chiphost(*words, "--scenes", write_scenes(tmp_path, "passes"), **{variable: value})
    assert (code, out) == (2, "")
    assert reason in err
    assert "hint: " in err


def test_a_useless_folder_for_temporary_files_is_shown_and_another_used(tmp_path: Path, scenes_root: Path) -> None:
    missing = str(tmp_path / "missing")
    words = ["ci", "-p", "a2a3sim", "-k", "element_access", "--scenes", scenes_root]
    code, out, err = chiphost(*words, TMPDIR=missing)
    assert (code, out.splitlines()[-1]) == (0, "Total: 1  Passed: 1  Failed: 0"), err
    code, out, _ = chiphost("doctor", "--json", tmp_path / "machine.json", TMPDIR=missing)
    assert code == 0
    assert f"{missing}: no library can be written there and loaded: No such file or directory; /tmp is used" in out
    machine = json.loads((tmp_path / "machine.json").read_text())
    assert machine["temporary"]["used"] == "/tmp"


def test_a_folder_from_which_nothing_can_be_loaded_is_found(tmp_path: Path) -> None:
    assert temp_folder.problem(str(tmp_path)) == ""
    assert not list(tmp_path.iterdir())
    assert "No such file" in temp_folder.problem(str(tmp_path / "missing"))
    assert "/proc: no library can be written there" in temp_folder.problem("/proc")


def started_with(prepare: str, *words: str | Path, **options: str) -> tuple[int, str, str]:
    """The program `chiphost` in a process that does something first."""
    start = "import os, resource, signal, sys\n" + prepare
    start += "\nos.execv(sys.executable, [sys.executable, '-m', 'chiphost', *sys.argv[1:]])"
    done = subprocess.run(
        [sys.executable, "-c", start, *words],
        capture_output=True,
        text=True,
        env={**os.environ, **options},
        timeout=TIMEOUT_S,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("signals", [["SIGCHLD"], ["SIGCHLD", "SIGINT", "SIGHUP", "SIGTERM", "SIGPIPE", "SIGALRM"]])
@pytest.mark.parametrize("isolation", ["namespace", "copy", "process"])
def test_ignored_signals_keep_nothing_from_running(tmp_path: Path, signals: list[str], isolation: str) -> None:
    ignore = "\n".join(f"signal.signal(signal.{name}, signal.SIG_IGN)" for name in signals)
    scenes = write_scenes(tmp_path / "scenes", "passes", "does_not_compile")
    words = ["ci", "-p", "a2a3sim", "--scenes", scenes, "--isolation", isolation, "-t", "100"]
    code, out, err = started_with(ignore, *words, CHIPHOST_CACHE_DIR=str(tmp_path / "cache"))
    assert (code, out.splitlines()[-1]) == (1, "Total: 2  Passed: 1  Failed: 1"), err
    assert "ended with exit code 1" in out


def test_blocked_signals_keep_nothing_from_running(tmp_path: Path) -> None:
    block = "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())"
    scenes = write_scenes(tmp_path / "scenes", "passes")
    words = ["ci", "-p", "a2a3sim", "--scenes", scenes, "-t", "100"]
    code, out, err = started_with(block, *words, CHIPHOST_CACHE_DIR=str(tmp_path / "cache"))
    assert (code, out.splitlines()[-1]) == (0, "Total: 1  Passed: 1  Failed: 0"), err


@pytest.mark.parametrize("columns", ["0", "1", "-3", "many", "\u00b2", "9" * 12, "9" * 5000])
def test_an_odd_width_of_the_terminal_is_no_matter(tmp_path: Path, columns: str) -> None:
    words = ["ci", "-p", "a2a3sim", "--scenes", write_scenes(tmp_path, "passes")]
    code, out, err = chiphost(*words, COLUMNS=columns, LINES=columns)
    assert (code, err) == (0, "")
    assert "PASS  host_build_graph/passes" in out
    code, out, _ = chiphost("doctor", COLUMNS=columns, LINES=columns)
    assert "This machine can run the simulated platforms." in out


@pytest.mark.parametrize("files", [8, 12])
@pytest.mark.parametrize("words", [["ci", "-p", "a2a3sim"], ["run", "passes"]], ids=lambda words: words[0])
def test_too_few_files_are_an_error_that_says_so(tmp_path: Path, words: list[str], files: int) -> None:
    limit = f"resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}))"
    code, _, err = started_with(limit, *words, "--scenes", write_scenes(tmp_path, "passes"))
    assert code == 2
    assert f"chiphost: Too many open files: this process may have {files} at a time" in err
    assert "ulimit -n" in err
    assert "Traceback" not in err


def test_no_further_process_is_an_error_that_says_so() -> None:
    for error, words in (
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "no process can be made"),
        (RuntimeError("can't start new thread"), "no thread can be made"),
    ):
        assert words in cli._limit_reached(error)
    assert cli._limit_reached(RuntimeError("another")) == ""
    assert cli._limit_reached(OSError(errno.ENOENT, "another")) == ""


@pytest.mark.parametrize("name", ["CHIPHOST_CACHE_DIR", "CHIPHOST_LIB_DIR", "CHIPHOST_RUNTIME_PATH"])
def test_a_home_folder_that_nobody_knows_is_an_error_that_says_so(tmp_path: Path, name: str) -> None:
    scenes = write_scenes(tmp_path, "passes")
    code, _, err = chiphost("ci", "-p", "a2a3sim", "--scenes", scenes, **{name: "~nobody-at-all/there"})
    assert code == 2
    assert "Traceback" not in err
    assert "~nobody-at-all" in err


@as_root
@pytest.mark.parametrize("foreign", [".", "CMakeLists.txt"])
def test_a_checkout_of_another_user_above_is_not_built(
    tmp_path: Path, foreign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "CMakeLists.txt").write_text("project(chiphost)\n")
    monkeypatch.chdir(tmp_path / "inner")
    assert runtime_build.find_source() == tmp_path
    os.chown(tmp_path / foreign, FOREIGN_USER, FOREIGN_USER)
    with pytest.raises(ArgumentError, match=f"above the working folder belongs to user {FOREIGN_USER}") as caught:
        runtime_build.find_source()
    assert "--source" in caught.value.hint
    assert runtime_build.find_source(tmp_path) == tmp_path
    monkeypatch.chdir(tmp_path)
    assert runtime_build.find_source() == tmp_path


def test_an_empty_name_of_a_report_is_refused(tmp_path: Path) -> None:
    code, _, err = chiphost("ci", "-p", "a2a3sim", "--scenes", write_scenes(tmp_path, "passes"), "--json", "")
    assert code == 2
    assert "the name of the file is empty" in err

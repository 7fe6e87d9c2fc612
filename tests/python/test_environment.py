# SPDX-License-Identifier: Apache-2.0
"""Environments in which nothing can run, and those in which it can all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from throwaway_scenes import write_scenes

from chiphost import temp_folder

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


def test_an_empty_name_of_a_report_is_refused(tmp_path: Path) -> None:
    code, _, err = chiphost("ci", "-p", "a2a3sim", "--scenes", write_scenes(tmp_path, "passes"), "--json", "")
    assert code == 2
    assert "the name of the file is empty" in err

# SPDX-License-Identifier: Apache-2.0
"""`chiphost run`, and its list of scenes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from invocation import invoke, last_line
from program import finish
from throwaway_scenes import RUNTIME, write_scenes


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

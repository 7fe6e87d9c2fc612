# SPDX-License-Identifier: Apache-2.0
"""`chiphost run`, and its list of scenes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

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


STALLED = r"core \d+ waits in kernel `kernel` of submit #0 at \S*kernel\.cpp:\d+, alone in its task"


def stall_report(path: Path) -> list[str]:
    """What a JSON report says of the stall of its one case, a line each."""
    [scene] = json.loads(path.read_text())["scenes"]
    [case] = [case for case in scene["cases"] if case["case"] == "default"]
    text = case["stall_report"]
    assert isinstance(text, str)
    return text.splitlines()


@pytest.mark.parametrize("isolation", ["namespace", "copy", "process"])
def test_run_shows_a_stall_with_all_its_events(tmp_path: Path, isolation: str) -> None:
    scenes = write_scenes(tmp_path, "stalls")
    result = invoke("run", "stalls", "--scenes", scenes, "--isolation", isolation)
    assert result.exit_code == 1
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert any(re.fullmatch(STALLED, line) for line in lines), result.stdout
    assert sum("tells its cluster that something has changed" in line for line in lines) == 20
    [header] = [line for line in lines if line.startswith("the last ")]
    count = int(header.split()[2])
    assert header == f"the last {count} of {count} events:"
    assert lines[lines.index(header) + count].startswith(f"{count - 1}: ")


def test_ci_shows_the_waits_and_the_last_events_and_reports_have_all(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "stalls", "passes")
    json_file, junit_file = tmp_path / "ci.json", tmp_path / "ci.xml"
    words = ["ci", "--case", "default", "-k", "stalls", "--scenes", scenes, "--json", json_file, "--junit", junit_file]
    result = invoke(*words)
    assert result.exit_code == 1
    lines = [line.strip() for line in result.stdout.splitlines()]
    title = lines.index("stall of case 'default':")
    assert re.fullmatch(STALLED, lines[title + 1])
    message, *told = stall_report(json_file)
    assert any(message in line for line in lines)
    assert told[0] == lines[title + 1]
    count = len(told) - 2
    header = f"the last 8 events (`chiphost run`, --json and --junit have {count - 8} more):"
    assert lines[title + 2 : title + 11] == [header, *map(str.strip, told[-8:])]
    [output] = ElementTree.parse(junit_file).getroot().iter("system-out")
    assert output.text is not None and output.text.splitlines() == [message, *told]


def test_a_scene_that_stalls_leaves_its_worker_to_the_next(tmp_path: Path) -> None:
    result = invoke("ci", "--scenes", write_scenes(tmp_path, "stalls", also="stalls", then="passes"))
    assert last_line(result.stdout) == "Total: 3  Passed: 1  Failed: 2"
    assert result.stdout.count("STALLED (100)") == 4


def test_run_stops_a_kernel_that_hangs(tmp_path: Path) -> None:
    code, out, _ = finish("run", "hangs", "--scenes", write_scenes(tmp_path, "hangs"), "--timeout", "0.5")
    assert code == 1
    assert "DEADLINE_EXCEEDED" in out
    assert re.search(r"kernel `kernel` of submit #0 on core \d+ at \S*kernel\.cpp:\d+ did not return", out), out


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

# SPDX-License-Identifier: Apache-2.0
"""The words and reports about a working process that ended without a verdict, from what it told before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chiphost._cli.story import Story
from chiphost._reports.file import ReportFile
from chiphost.scenes.results import CaseResult, SceneResult


def planned(name: str) -> SceneResult:
    cases = tuple(CaseResult(case, False, 0, "not started", None, 0) for case in ("one", "two"))
    return SceneResult(name, "a2a3sim", "r", False, 0, "not started", 3, cases)


PLANNED = ("planned", [planned("r/a"), planned("r/b")])
CASE = CaseResult("one", True, 0.5, None, 4, 1)
PASSED = SceneResult("r/a", "a2a3sim", "r", True, 0.5, None, 3, (CASE, CaseResult("two", True, 0.5, None, 4, 1)))


def finish(capsys: pytest.CaptureFixture[str], code: int, *messages: tuple[Any, ...]) -> list[str]:
    """The lines on standard error."""
    Story(list(messages)).finish(code)
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("messages", "when"),
    [
        ([], "no scene was running"),
        ([("loading", "r/a")], "the description of r/a was being read"),
        ([("loading", "r/a"), ("loading", None)], "no scene was running"),
        ([("running", "r/a", None)], "r/a was running"),
        ([("running", "r/a", None), ("running", "r/a", "one")], "r/a, case 'one' was running"),
        ([("running", "r/a", "one"), ("scene", PASSED)], "no scene was running"),
        (
            [("running", "r/a", "one"), ("running", "r/b", None)],
            "one of these was running: r/a, case 'one'; r/b",
        ),
        ([("running", "r/a", "one"), ("verdict", 0)], "there was a verdict already"),
        ([("loading", "a\x1b[31m")], r"the description of a\x1b[31m was being read"),
    ],
)
def test_what_was_running_is_told(
    capsys: pytest.CaptureFixture[str], messages: list[tuple[Any, ...]], when: str
) -> None:
    first, *_ = finish(capsys, 4, *messages)
    assert first == f"chiphost: the process ended early, with exit code 4; {when}"


@pytest.mark.parametrize(
    ("code", "how", "what"),
    [(-11, "signal 11 (Segmentation fault)", "crashed"), (0, "exit code 0", "left the process, as with exit()")],
)
def test_a_scene_is_suspected_only_if_one_was_there(
    capsys: pytest.CaptureFixture[str], code: int, how: str, what: str
) -> None:
    first, hint = finish(capsys, code, ("running", "r/a", None))
    assert how in first
    assert hint == f"  hint: a kernel, or something else of the scene, {what}"
    [first] = finish(capsys, code)
    assert how in first


def reports(tmp_path: Path) -> tuple[tuple[Any, ...], Path]:
    file = tmp_path / "out.json"
    return ("reports", ReportFile(file), None, "a2a3sim", 3, ["--scenes", "here"]), file


def test_the_report_has_what_was_done_and_what_was_not(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    wanted, file = reports(tmp_path)
    messages = (PLANNED, ("scene", PASSED), ("running", "r/b", "one"), ("case", "r/b", CASE), ("running", "r/b", "two"))
    words = finish(capsys, -6, wanted, *messages)
    assert "chiphost run r/b -p a2a3sim --case two --seed 3 --scenes here" in " ".join(words)
    done, ended = json.loads(file.read_text())["scenes"]
    assert (done["name"], done["passed"]) == ("r/a", True)
    why = "the process ended early, with signal 6 (Aborted)"
    assert (ended["name"], ended["error"]) == ("r/b", f"case 'two': {why}")
    assert [(case["passed"], case["error"]) for case in ended["cases"]] == [(True, None), (False, why)]


def test_a_scene_between_its_cases_has_the_error_itself(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    wanted, file = reports(tmp_path)
    alone = SceneResult("r/b", "a2a3sim", "r", False, 0, None, 3, ())
    finish(capsys, 7, wanted, ("planned", [alone]), ("running", "r/b", None))
    [ended] = json.loads(file.read_text())["scenes"]
    assert ended["error"] == "the process ended early, with exit code 7"


@pytest.mark.parametrize(("loading", "name"), [(None, "(scenes)"), ("r/x", "r/x")])
def test_a_report_about_nothing_is_no_success(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, loading: str | None, name: str
) -> None:
    wanted, file = reports(tmp_path)
    finish(capsys, 0, wanted, ("loading", loading))
    [scene] = json.loads(file.read_text())["scenes"]
    assert (scene["name"], scene["passed"]) == (name, False)


def test_after_a_verdict_no_report_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    wanted, file = reports(tmp_path)
    finish(capsys, 1, wanted, PLANNED, ("verdict", 0))
    assert not file.exists()


def test_a_report_that_cannot_be_written_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    wanted, _ = reports(tmp_path / "missing")
    words = finish(capsys, 1, wanted, PLANNED)
    assert any("cannot write" in line and "missing" in line for line in words)

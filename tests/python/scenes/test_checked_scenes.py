# SPDX-License-Identifier: Apache-2.0
"""Scenes with checks: what a case's result and the reports have."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import check_reports as made
import numpy as np
import pytest
from checked_runs import give_reports
from checkout import SCENES
from throwaway_scenes import RUNTIME, write_scenes

import chiphost as ch
from chiphost import checks
from chiphost.checks import Gap
from chiphost.checks.report import read_report
from chiphost.scenes import catalog, report
from chiphost.scenes.case_checks import CaseChecks
from chiphost.scenes.results import CaseResult, SceneResult, Settings
from chiphost.scenes.runner import Runner

PLATFORM = "a2a3sim"


def run(root: Path, **settings: object) -> SceneResult:
    entries = catalog.select(root, platform=PLATFORM)
    [result] = Runner(Settings(PLATFORM, **settings)).run(entries)  # type: ignore[arg-type]
    return result


def one_race(callable: ch.ChipCallable, mask: int) -> str:
    return made.report(made.finding())


@pytest.mark.parametrize("platform", ["a2a3sim", "a5sim"])
def test_chiphosts_own_scenes_have_no_findings(tmp_path: Path, platform: str) -> None:
    """All usual cases of all of them, on all runtimes."""
    file = tmp_path / "report.json"
    command = ["chiphost", "ci", "-p", platform, "--check", "--scenes", str(SCENES), "--json", str(file)]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout
    cases = [case for scene in json.loads(file.read_text())["scenes"] for case in scene["cases"]]
    checked = [case for case in cases if case["passed"] and case["skipped"] is None]
    assert len(checked) > 50
    assert all(case["findings"] == case["not_checked"] == [] for case in checked)


def test_a_finding_fails_a_case_whose_results_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "passes")
    masks = give_reports(monkeypatch, one_race)
    result = run(tmp_path, check=5, seed=7, repeated=("--scenes", "here"))
    assert masks == [5, 5]
    assert not result.passed and result.failed
    default, one = result.cases
    [found] = default.findings
    assert not default.passed and default.rounds == 1
    assert default.error == checks.as_text(found, tmp_path / RUNTIME / "passes")
    command = f"chiphost run {RUNTIME}/passes"
    assert found.show == f"{command} --seed 7 --check=races --scenes here"
    assert one.findings[0].show == f"{command} --case one --seed 7 --check=races --scenes here"
    assert result.error is not None and result.error.startswith("case 'default': race: submit #3")
    assert report.replay_command(result, ["--check=all"]).endswith(" --all-cases --seed 7 --check=all")


def test_nothing_is_checked_that_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "passes")
    masks = give_reports(monkeypatch, one_race)
    result = run(tmp_path)
    assert result.passed and masks == []
    assert {case.unnecessary_edges for case in result.cases} == {None}


def test_rounds_that_find_the_same_cause_tell_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "three_rounds")
    counts = iter(range(1, 100))
    masks = give_reports(monkeypatch, lambda *_: made.report(made.finding(count=next(counts)), made.finding(end=8)))
    case = run(tmp_path, check=1).cases[0]
    assert len(masks) == 6 and case.rounds == 3
    assert [found.count for found in case.findings] == [1, 1]
    assert case.error is not None and case.error.startswith("2 findings\nrace: ")


def test_an_error_comes_before_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("throws", "wrong_golden"):
        write_scenes(tmp_path / kind, kind)
        give_reports(monkeypatch, one_race)
        case = run(tmp_path / kind, check=1).cases[0]
        assert len(case.findings) == 1
        assert case.error is not None and "\nrace: submit #3" in case.error
        assert case.error.startswith(("KERNEL_THREW", "GOLDEN_MISMATCH"))


def test_an_argument_without_a_signature_has_the_name_that_the_scene_gives_it() -> None:
    scene: Any = SimpleNamespace(name="r/s", folder=Path("/s"), default_case="default")
    found = CaseChecks(scene, "default", Settings(PLATFORM, check=1))
    binary = ch.Binary(b"", "key", "example")
    unsigned = ch.ChipCallable(binary, [(0, "aiv", binary), (1, "aiv", ch.Binary(b"", "other", "scale"))])
    error = ch.errors.make_error("KERNEL_THREW", "no")
    error.findings = read_report(made.report(made.finding()), unsigned, RUNTIME).findings
    found.note_error(error, {"x": np.zeros(4), "count": 7, "y": np.zeros(4)})
    assert [each.memory.name for each in found.findings] == ["y"]


def test_dropped_findings_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "passes")
    give_reports(monkeypatch, lambda *_: made.report(made.finding(), dropped=12, unnecessary_edges=3))
    case = run(tmp_path, check=1).cases[0]
    assert case.error is not None and case.error.endswith("\n(12 more are not listed: mend these first)")
    assert case.unnecessary_edges == 3


def test_gaps_fail_nothing_and_are_told_once_for_each_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "passes")
    kernel = tmp_path / RUNTIME / "passes" / "kernel.cpp"
    gaps = [Gap("kernel 'a'", "inline assembly", f"{kernel}:{line}") for line in (3, 9)]
    give_reports(monkeypatch, lambda *_: made.report(), [*gaps, Gap("orchestration 'o'", "it was given as a binary")])
    result = run(tmp_path, check=63)
    assert result.passed
    assert report.not_checked(result).splitlines() == [
        "not checked: kernel 'a': inline assembly (kernel.cpp:3); and in 1 other place",
        "not checked: orchestration 'o': it was given as a binary",
    ]


def test_the_json_report_has_findings_as_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "passes")
    give_reports(monkeypatch, one_race, [Gap("kernel 'a'", "inline assembly")])
    result = run(tmp_path, check=1)
    [case, _] = json.loads(report.to_json([result]))["scenes"][0]["cases"]
    [found] = case["findings"]
    assert (found["check"], found["what"], found["edge"]) == ("races", "write_after_read", [1, 3])
    assert found["first"]["kernel"] == "kernel" and found["second"]["submission"] == 3
    assert found["memory"]["name"] == "out" and (found["begin"], found["end"]) == (0, 16)
    assert found["text"] == checks.as_text(result.cases[0].findings[0])
    assert case["not_checked"] == [{"program": "kernel 'a'", "reason": "inline assembly", "place": ""}]
    assert case["unnecessary_edges"] == 1


def test_the_junit_report_has_the_text() -> None:
    case = CaseResult("a", False, 1.0, "race: submit #3 ...\n  mend:      ...", 4, 1)
    text = report.to_junit([SceneResult("r/s", "a2a3sim", "r", False, 1.0, "", 0, (case,))])
    assert 'message="race: submit #3 ..."' in text and "mend:      ..." in text

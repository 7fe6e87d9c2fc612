# SPDX-License-Identifier: Apache-2.0
"""Reports of scenes: their content."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from xml.etree import ElementTree

import junitparser
import pytest

from chiphost.scenes import report
from chiphost.scenes.results import CaseResult, SceneResult

PASSED = SceneResult(
    "r/good",
    "a2a3sim",
    "r",
    True,
    0.5,
    None,
    7,
    (CaseResult("a", True, 0.25, None, 4, 1), CaseResult("b", True, 0.25, None, 4, 2)),
)
FAILED = SceneResult(
    "r/bad",
    "a2a3sim",
    "r",
    False,
    1.5,
    "case 'b': wrong\nvery",
    7,
    (CaseResult("a", True, 0.5, None, 4, 1), CaseResult("b", False, 1.0, "wrong\nvery", None, 0)),
)
UNLOADED = SceneResult("r/invalid", "a2a3sim", "r", False, 0.0, "no such name", 7, ())


def test_json_has_the_counts_and_every_scene() -> None:
    content = json.loads(report.to_json([PASSED, FAILED, UNLOADED]))
    assert list(content) == ["total", "passed", "failed", "skipped", "scenes"]
    assert (content["total"], content["passed"], content["failed"], content["skipped"]) == (3, 1, 2, 0)
    first, second, third = content["scenes"]
    assert [*first] == ["name", "platform", "runtime", "passed", "seconds", "error", "seed", "cases", "skipped"]
    assert (first["name"], first["passed"], first["error"], first["seed"]) == ("r/good", True, None, 7)
    assert (second["error"], second["cases"][1]["error"]) == ("case 'b': wrong\nvery", "wrong\nvery")
    assert third["cases"] == []


def test_json_of_nothing() -> None:
    assert json.loads(report.to_json([])) == {"total": 0, "passed": 0, "failed": 0, "skipped": 0, "scenes": []}


def test_what_was_skipped_is_told_and_has_not_failed() -> None:
    case = CaseResult("wide", False, 0, None, None, 0, skipped="needs 24 clusters, p has 8")
    skipped = SceneResult("r/s", "p", "r", False, 0, None, 0, (case,), case.skipped)
    mixed = dataclasses.replace(PASSED, name="r/mixed", cases=(*PASSED.cases, case))
    results = [PASSED, mixed, skipped, FAILED]
    assert report.summary(results) == "Total: 4  Passed: 2  Failed: 1  Skipped: 1"
    assert [report.skipped(result) for result in results] == [
        "", "case 'wide' skipped: needs 24 clusters, p has 8", "needs 24 clusters, p has 8", "",
    ]  # fmt: skip
    content = json.loads(report.to_json(results))
    assert (content["passed"], content["failed"], content["skipped"]) == (2, 1, 1)
    assert content["scenes"][2]["skipped"] == content["scenes"][1]["cases"][2]["skipped"] == case.skipped
    suites = ElementTree.fromstring(report.to_junit(results).encode())
    assert [(suite.get("skipped"), suite.get("failures")) for suite in suites] == [
        ("0", "0"), ("1", "0"), ("1", "0"), ("0", "1"),
    ]  # fmt: skip
    assert [each.get("message") for each in suites.iter("skipped")] == [case.skipped] * 2
    assert report.replay_command(skipped) == ""


def test_junit_has_a_test_case_for_each_case(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(report.to_junit([PASSED, FAILED, UNLOADED]))
    good, bad, invalid = junitparser.JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert [(case.name, case.classname) for case in good] == [("a", "a2a3sim.r/good"), ("b", "a2a3sim.r/good")]
    assert (good.failures, bad.failures, invalid.failures) == (0, 1, 1)
    [failure] = next(case for case in bad if case.name == "b").result
    assert (failure.message, failure.text) == ("wrong", "wrong\nvery")
    [case] = invalid  # a scene that could not be loaded has no cases, and must be seen all the same
    assert (case.name, case.result[0].text) == ("(scene)", "no such name")
    assert {each.name: each.value for each in bad.properties()} == {"platform": "a2a3sim", "seed": "7"}


@pytest.mark.parametrize("cases", [PASSED.cases, PASSED.cases[:1], ()])
def test_junit_has_a_fault_of_the_scene_itself(cases: tuple[CaseResult, ...]) -> None:
    """A worker that cannot be reset after the last case is such a fault: no case failed, and the scene has."""
    failed = SceneResult("r/s", "a2a3sim", "r", False, 2.5, "cannot be\nreset", 7, cases)
    [suite] = ElementTree.fromstring(report.to_junit([failed]).encode())
    assert (suite.get("failures"), suite.get("tests")) == ("1", str(len(cases) + 1))
    *passed, case = suite.iter("testcase")
    assert [each.get("name") for each in passed] == [each.case for each in cases]
    assert not any(list(each) for each in passed)
    assert (case.get("name"), case.get("classname"), case.get("time")) == ("(scene)", "a2a3sim.r/s", "2.5")
    [failure] = case
    assert (failure.get("message"), failure.text) == ("cannot be", "cannot be\nreset")


def test_junit_blames_a_case_once() -> None:
    [suite] = ElementTree.fromstring(report.to_junit([FAILED]).encode())
    assert [case.get("name") for case in suite.iter("testcase") if list(case)] == ["b"]


def test_junit_is_xml_whatever_a_compiler_prints() -> None:
    error = "\x1b[31mred\x1b[0m <&> \x00 ‘quoted’ \udce9 \ufffe"
    failed = SceneResult("r/s", "p", "r", False, 0, error, 0, (CaseResult("c\x01", False, 0, error, None, 0),))
    text = report.to_junit([failed])
    failure = ElementTree.fromstring(text.encode()).find(".//failure")
    assert failure is not None
    assert failure.text == "\\x1b[31mred\\x1b[0m <&> \\x00 ‘quoted’ \\xe9 \\ufffe"


def test_the_last_line() -> None:
    assert report.summary([PASSED, FAILED, UNLOADED]) == "Total: 3  Passed: 1  Failed: 2"


def test_the_command_that_runs_a_failure_again() -> None:
    command = "chiphost run r/bad -p a2a3sim --case b --seed 7 --scenes 'my scenes'"
    assert report.replay_command(FAILED, ["--scenes", "my scenes"]) == command
    assert report.replay_command(PASSED) == ""
    only_b = dataclasses.replace(FAILED, cases=FAILED.cases[1:])
    assert report.replay_command(only_b) == "chiphost run r/bad -p a2a3sim --all-cases --seed 7"
    one_of_many = dataclasses.replace(only_b, has_all_cases=False)
    assert report.replay_command(one_of_many) == "chiphost run r/bad -p a2a3sim --case b --seed 7"
    assert report.to_json([one_of_many]) == report.to_json([only_b])
    not_started = CaseResult("a", False, 0, "not started: interrupted", None, 0)
    assert report.replay_command(SceneResult("r/s", "p", "r", False, 0, "", 0, (not_started,))) == ""


def test_a_retried_pass_is_shown_as_such() -> None:
    case = CaseResult("a", True, 0.25, None, 4, 1, ("wrong\nvery", "late"))
    lucky = SceneResult("r/lucky", "a2a3sim", "r", True, 0.5, None, 7, (case,))
    shown = "case 'a' passed when run for the 3rd time\n1st time: wrong\nvery\n2nd time: late"
    assert report.retries(case) == shown
    assert report.retries(PASSED.cases[0]) == ""
    assert report.summary([PASSED, lucky]) == "Total: 2  Passed: 2  Failed: 0  Retried: 1"
    [told] = json.loads(report.to_json([lucky]))["scenes"][0]["cases"]
    assert told["earlier_errors"] == ["wrong\nvery", "late"]
    output = ElementTree.fromstring(report.to_junit([lucky]).encode()).find(".//system-out")
    assert output is not None
    assert output.text == shown


@pytest.mark.parametrize(
    ("earlier", "shown"),
    [(1, "2nd"), (3, "4th"), (10, "11th"), (11, "12th"), (12, "13th"), (20, "21st"), (112, "113th")],
)
def test_times_are_numbered_as_people_do(earlier: int, shown: str) -> None:
    case = CaseResult("a", True, 0.25, None, 4, 1, ("wrong",) * earlier)
    assert report.retries(case).partition("\n")[0] == f"case 'a' passed when run for the {shown} time"


EVENTS = [f"  {number}: core 0 begins kernel `k` of submit #{number}" for number in range(20)]
WAITS = ["core 0 waits in kernel `k` of submit #0 at k.cpp:3 for core 24, which waits", "a cycle: core 0 -> core 24"]
REPORT = "\n".join(["0 of 1 tasks completed", *WAITS, "the last 20 of 20 events:", *EVENTS]) + "\n"


def stalled(stall_report: str | None = REPORT) -> CaseResult:
    return CaseResult("a", False, 0.25, "STALLED (100): 0 of 1 tasks completed", None, 0, stall_report=stall_report)


def test_a_stall_is_in_the_reports() -> None:
    result = SceneResult("r/s", "a2a3sim", "r", False, 0.5, "case 'a': STALLED", 7, (stalled(), PASSED.cases[0]))
    cases = json.loads(report.to_json([result]))["scenes"][0]["cases"]
    assert [case["stall_report"] for case in cases] == [REPORT, None]
    case, passed = ElementTree.fromstring(report.to_junit([result]).encode()).iter("testcase")
    assert case.findtext("system-out") == REPORT
    assert passed.find("system-out") is None


def test_a_stall_is_shown_without_its_message_which_the_error_has() -> None:
    assert report.stall(stalled()).splitlines() == [*WAITS, "the last 20 of 20 events:", *EVENTS]
    assert report.stall(stalled(None)) == report.stall(PASSED.cases[0]) == ""
    assert report.stall(stalled("the run did not end\n")) == ""
    without_events = "\n".join(["message", *WAITS])
    assert report.stall(stalled(without_events)).splitlines() == report.stall(stalled(without_events), 3).splitlines()


def test_a_stall_is_shortened_and_says_where_the_rest_is() -> None:
    *waits, header = report.stall(stalled(), 3).splitlines()[:-3]
    assert waits == WAITS
    assert header == "the last 3 events (`chiphost run`, --json and --junit have 17 more):"
    assert report.stall(stalled(), 3).splitlines()[-3:] == EVENTS[-3:]
    assert report.stall(stalled(), 20) == report.stall(stalled())

# SPDX-License-Identifier: Apache-2.0
"""Reports: their content, and how they reach the disk."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from xml.etree import ElementTree

import junitparser
import pytest

from chiphost._reports.file import ReportFile
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


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    file = ReportFile(tmp_path / "out.json")
    file.check()
    assert list(tmp_path.iterdir()) == []  # the check leaves nothing
    file.write("one")
    file.write("two")
    assert (tmp_path / "out.json").read_text() == "two"
    assert list(tmp_path.iterdir()) == [tmp_path / "out.json"]


def test_a_file_gets_the_mode_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("")
    ReportFile(tmp_path / "out.json").write("")
    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")

    def fail(self: Path, target: Path) -> None:
        raise OSError("no room")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no room"):
        ReportFile(path).write("new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    ReportFile(tmp_path / "link").write("content")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "content"


def test_a_device_or_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    null = ReportFile("/dev/null")
    null.check()
    null.write("gone")
    assert Path("/dev/null").is_char_device()
    os.mkfifo(tmp_path / "pipe")
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    ReportFile(tmp_path / "pipe").write("through")
    reader.join()
    assert read == ["through"]


@pytest.mark.parametrize("folder", ["/dev/fd", "/proc/self/fd"])
def test_an_open_file_is_written_to_and_not_replaced(tmp_path: Path, folder: str) -> None:
    with (tmp_path / "log").open("w+b", buffering=0) as file:
        file.write(b"before\n")
        link = tmp_path / "link"
        link.symlink_to(f"{folder}/{file.fileno()}")
        for path in (f"{folder}/{file.fileno()}", link):
            report = ReportFile(path)
            report.check()
            report.write("report\n")
        file.write(b"after\n")
    assert (tmp_path / "log").read_text() == "before\nreport\nreport\nafter\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "log"]


def test_an_open_file_must_be_there_and_open_for_writing(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("kept")
    with (tmp_path / "log").open() as file:
        with pytest.raises(PermissionError, match="open for reading only"):
            ReportFile(f"/dev/fd/{file.fileno()}").check()
        number = file.fileno()
    with pytest.raises(OSError, match="Bad file descriptor"):
        ReportFile(f"/dev/fd/{number}").check()


def test_what_cannot_be_written_is_found_by_the_check(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, reason in (
        (tmp_path, "is a folder"),
        (tmp_path / "missing" / "out.json", "there is no folder"),
        (tmp_path / "file" / "out.json", "there is no folder"),
    ):
        with pytest.raises(OSError, match=reason):
            ReportFile(path).check()


_NOBODY = 65534  # a user and a group without rights, on every system
_CHECK = """
import os, sys
from chiphost._reports.file import ReportFile
user, *paths = sys.argv[1:]
if os.geteuid() == 0:  # root may write everywhere
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
for path in paths:
    try:
        ReportFile(path).check()
        print("fine")
    except OSError as error:
        print(type(error).__name__, error)
"""


def test_permissions_are_found_by_the_check() -> None:
    # Not in tmp_path, whose parents are closed to others.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "read_only").write_text("")
        (folder / "closed").mkdir()
        (folder / "read_only").chmod(0o444)
        (folder / "closed").chmod(0o555)
        paths = [folder / "read_only", folder / "closed" / "out.json", folder / "out.json"]
        child = subprocess.run(
            [sys.executable, "-c", _CHECK, str(_NOBODY), *map(str, paths)], capture_output=True, text=True, timeout=60
        )
    read_only, closed, open_ = child.stdout.splitlines()
    assert "may not be written to" in read_only and read_only.startswith("PermissionError"), child.stderr
    assert "may not be written to" in closed
    assert open_ == "fine"

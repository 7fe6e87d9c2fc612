# SPDX-License-Identifier: Apache-2.0
"""The option --check of run and ci."""

from __future__ import annotations

import json
import re
from pathlib import Path

import check_reports as made
import pytest
from checked_runs import give_reports
from invocation import invoke, last_line
from throwaway_scenes import RUNTIME, write_scenes

import chiphost as ch
from chiphost.checks import Gap

GAP = Gap("kernel 'kernel' (func_id 0, aiv)", "inline assembly")


def one_race(callable: ch.ChipCallable, mask: int) -> str:
    return made.report(made.finding())


@pytest.mark.parametrize(
    ("words", "mask"), [(["--check"], 63), (["--check=all"], 63), (["--check=races,memory"], 5), ([], None)]
)
def test_words_choose_the_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], mask: int) -> None:
    write_scenes(tmp_path, "passes")
    masks = give_reports(monkeypatch, lambda *_: made.report(), [GAP])
    result = invoke("run", *words, "passes", "--scenes", tmp_path)
    assert result.exit_code == 0
    assert masks == ([] if mask is None else [mask])
    missed = "not checked: kernel 'kernel' (func_id 0, aiv): inline assembly\n"
    assert (missed in result.stdout) == (mask is not None)


def test_run_shows_findings_below_the_case_and_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "passes")
    give_reports(monkeypatch, one_race)
    result = invoke("run", "passes", "--all-cases", "--check=races", "--scenes", tmp_path)
    assert result.exit_code == 1
    assert re.search(r"^FAIL  default .*\n      race: submit #3 \(kernel of func_id 1\) writes ", result.stdout, re.M)
    show = rf"^        show:      chiphost run {RUNTIME}/passes --case one --check=races --scenes {tmp_path}$"
    assert re.search(show, result.stdout, re.M)


def test_run_tells_of_edges_that_nothing_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "passes")
    counts = iter((3, 0))
    give_reports(monkeypatch, lambda *_: made.report(unnecessary_edges=next(counts)))
    result = invoke("run", "passes", "--all-cases", "--check=races", "--scenes", tmp_path)
    assert result.exit_code == 0
    assert result.stdout.count("that no access needs") == 1
    assert "\ncase 'default': 3 edges that no access needs: tasks wait that could run at once\n" in result.stdout


def test_the_command_that_is_shown_finds_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "passes")
    masks = give_reports(monkeypatch, one_race)
    first = invoke("ci", "-p", "a5sim", "--check", "--seed", "3", "--scenes", tmp_path).stdout
    [command] = set(re.findall(r"show: +chiphost (.* --case one .*)", first))
    masks.clear()
    assert invoke(*command.split()).exit_code == 1
    assert masks == [1]
    [again] = re.findall(r"again: chiphost (.*)", first)
    masks.clear()
    assert invoke(*again.split()).exit_code == 1
    assert masks == [63, 63]


def test_ci_reports_findings_as_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenes = write_scenes(tmp_path / "scenes", "passes")
    give_reports(monkeypatch, one_race, [GAP])
    files = (tmp_path / "out.json", tmp_path / "out.xml")
    result = invoke("ci", "--check", "--scenes", scenes, "--json", files[0], "--junit", files[1])
    assert result.exit_code == 1
    assert last_line(result.stdout) == "Total: 1  Passed: 0  Failed: 1"
    assert result.stdout.count("not checked: ") == 1
    cases = json.loads(files[0].read_text())["scenes"][0]["cases"]
    assert [case["findings"][0]["what"] for case in cases] == ["write_after_read"] * 2
    assert 'message="race: submit #3' in files[1].read_text()


def test_ci_passes_where_nothing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "passes")
    give_reports(monkeypatch, lambda *_: made.report())
    result = invoke("ci", "--check=races", "--scenes", tmp_path)
    assert result.exit_code == 0 and last_line(result.stdout) == "Total: 1  Passed: 1  Failed: 0"


def test_every_seed_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "passes")
    masks = give_reports(monkeypatch, lambda *_: made.report())
    result = invoke("ci", "--check", "--seeds", "3-6", "--scenes", tmp_path)
    assert result.exit_code == 0
    assert masks == [63] * 8  # four seeds of two cases


def test_a_case_stops_at_the_first_seed_with_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "passes")
    reports = iter((made.report(), made.report(), made.report(made.finding())))
    masks = give_reports(monkeypatch, lambda *_: next(reports))
    result = invoke("run", "passes", "--check=races", "--seeds", "3-6", "--scenes", tmp_path)
    assert result.exit_code == 1
    assert masks == [1] * 3
    assert "2 seeds passed" in result.stdout
    assert re.search(r"show: +chiphost run .*passes --seed 5 --check=races ", result.stdout)
    assert re.search(r"again: chiphost run .* --case default --seed 5 .*--check=races$", result.stdout, re.M)


def test_a_finding_names_seeds_that_are_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scenes(tmp_path, "passes")
    give_reports(monkeypatch, one_race)
    result = invoke("run", "passes", "--check=races", "--input-seed", "2", "--seeds", "7-8", "--scenes", tmp_path)
    assert result.exit_code == 1
    assert re.search(r"show: +chiphost run .* --input-seed 2 --order-seed 7 --check=races ", result.stdout)


@pytest.mark.parametrize("command", [["run", "vector_example"], ["ci"]])
@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--check=race"], "did you mean 'races'?"),
        (["--check", "races"], '--check=races'),
        (["--check", "races,memory"], '--check=races,memory'),
        (["--check", "--sim-threads", "2"], "--check needs --sim-threads 1"),
        (["--check", "-p", "a2a3"], "name a simulated platform, such as -p a2a3sim"),
    ],
)  # fmt: skip
def test_wrong_usage_is_found_before_anything_runs(command: list[str], words: list[str], text: str) -> None:
    result = invoke(*command, *words)
    assert result.exit_code == 2
    assert text in re.sub(r"\s+", " ", result.output)

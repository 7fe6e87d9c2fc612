# SPDX-License-Identifier: Apache-2.0
"""`chiphost explore`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from invocation import invoke
from small_graphs import write_graphs


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_graphs(tmp_path_factory.mktemp("scenes"))


def test_a_clean_scene_passes(root: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = ("--strategy", "exhaustive", "--case", "chains", "--json", report)
    result = invoke("explore", "graphs", "--scenes", root, *words)
    assert result.exit_code == 0, result.output
    assert "PASS  all 10 orders of its tasks" in result.stdout
    content = json.loads(report.read_text())
    [program] = content["programs"]
    assert (content["case"], content["strategy"], content["level"]) == ("chains", "exhaustive", "tasks")
    assert (program["schedules"], program["complete"], program["error"], program["log"]) == (10, True, None, None)


@pytest.mark.parametrize("options", [(), ("--steps",), ("--strategy", "pos", "--budget", "5s")])
def test_a_failure_has_one_command_that_replays_it(root: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    report = tmp_path / "report.json"
    words = ("--case", "lost_edge", "--json", report, *options)
    result = invoke("explore", "graphs", "--scenes", root, *words)
    assert result.exit_code == 1
    assert "GOLDEN_MISMATCH" in result.stdout
    [program] = json.loads(report.read_text())["programs"]
    assert f"again: {program['command']}" in result.stdout
    again = shlex.split(program["command"])
    assert again[:3] == ["chiphost", "explore", "host_build_graph/graphs"]
    replayed = invoke(*again[1:])
    assert replayed.exit_code == 1
    assert "FAIL  lost_edge" in replayed.stdout
    assert "GOLDEN_MISMATCH" in replayed.stdout
    default = invoke(*again[1:-1], "tasks:")
    assert default.exit_code == 0
    assert "PASS  lost_edge  0 decisions  order " in default.stdout


def test_a_log_may_be_in_a_file(root: Path, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("tasks:\n")
    result = invoke("explore", "graphs", "--scenes", root, "--replay", f"@{tmp_path / 'log'}")
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--replay", "nonsense"), "wanted decisions such as tasks:3.1,7.2"),
        (("--replay", "@/nowhere/log"), "cannot read /nowhere/log"),
        (("--replay", "4/tasks:"), "the scene has 1 programs, found number 4"),
        (("--budget", "0"), "wanted a number of schedules, such as 5000, or a time, such as 30s; found '0'"),
        (("--budget", "5 minutes"), "found '5 minutes'"),
        (("--strategy", "pc"), "Did you mean 'pct'?"),
        (("--case", "nothing"), "there is no case 'nothing'"),
        (("--isolation", "process"), "'process' is not one of"),
        (("--block-dim", "99"), "CONFIG_OUT_OF_RANGE"),
    ],
)
def test_wrong_usage(root: Path, words: tuple[str, ...], message: str) -> None:
    result = invoke("explore", "graphs", "--scenes", root, *words)
    assert result.exit_code == (1 if words[0] == "--block-dim" else 2), result.output
    assert message in result.output

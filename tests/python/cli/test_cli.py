# SPDX-License-Identifier: Apache-2.0
"""The program `chiphost` as a whole: help, wrong usage, and its output in a terminal and a pipe."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from invocation import invoke, last_line
from program import TIMEOUT_S, finish, in_terminal
from throwaway_scenes import write_scenes

import chiphost
from chiphost import __version__
from chiphost._cli.program import cli


def test_help_and_version() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    for command in ("run", "ci", "doctor", "bench"):
        assert re.search(rf"^  {command} ", result.output, re.MULTILINE)
        assert invoke(command, "--help").exit_code == 0
    assert invoke("--version").output == f"chiphost {__version__}\n"


def test_the_modules_of_commands_import_little() -> None:
    # chiphost/__init__.py imports any modules it likes; none of them is in the way here.
    script = """
import sys, types
package = types.ModuleType("chiphost")
package.__path__ = [sys.argv[1]]
sys.modules["chiphost"] = package
from click.testing import CliRunner
from chiphost._cli.program import cli
assert CliRunner().invoke(cli, ["ci", "--help"]).exit_code == 0
heavy = {"numpy", "rich", "junitparser", "chiphost._core"} & set(sys.modules)
assert not heavy, heavy
"""
    package = Path(chiphost.__file__).parent
    subprocess.run([sys.executable, "-c", script, str(package)], check=True, timeout=TIMEOUT_S)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nonsense"], "No such command"),
        (["conform"], "--platform"),
        (["ci", "-p", "a9sim"], "PLATFORM_UNKNOWN"),
        (["ci", "-p", "a2a3sim", "-r", "nope"], "RUNTIME_UNKNOWN"),
        (["ci", "-p", "a2a3sim", "-k", "nope"], "vector_example"),  # says what there is
        (["ci", "-p", "a2a3sim", "-t", "0"], "-t"),
        (["ci", "-p", "a2a3sim", "-t", "soon"], "-t"),
        (["ci", "-p", "a2a3sim", "-t", "nan"], "no number of seconds"),
        (["ci", "-p", "a2a3sim", "-t", "-inf"], "-t"),
        (["run", "vector_example", "--timeout", "nan"], "no number of seconds"),
        (["run", "vector_example", "--timeout", "-1"], "--timeout"),
        (["ci", "-p", "a2a3sim", "--retries", "-1"], "--retries"),
        (["ci", "-p", "a2a3sim", "--case", "random", "--all-cases"], "exclude each other"),
        (["ci", "-p", "a2a3sim", "--source", "."], "--source is for --build-runtime"),
        (["ci", "-p", "a2a3sim", "--build-runtime", "--source", "/nonexistent"], "no checkout of chiphost"),
        (["ci", "-p", "a2a3sim", "--seed", "-1"], "--seed"),
        (["ci", "-p", "a2a3sim", "--sim-threads", "0"], "--sim-threads"),
        (["ci", "-p", "a2a3sim", "--sim-threads", "65"], "1 to 64"),
        (["ci", "-p", "a2a3sim", "--isolation", "hope"], "--isolation"),
        (["ci", "-p", "a2a3sim", "--scenes", "/nonexistent"], "/nonexistent"),
        (["ci", "-p", "a2a3sim", "--scenes", "n" * 300], "there is no such folder of scenes"),
        (["ci", "-p", "a2a3sim", "--json", "/nonexistent/out.json"], "no folder /nonexistent"),
        (["ci", "-p", "a2a3sim", "--junit", "/"], "is a folder"),
        (["ci", "-p", "a2a3sim", "--json", "/dev/null", "--junit", "/dev/null"], "same file"),
        (["doctor", "--json", "/nonexistent/out.json"], "no folder /nonexistent"),
        (["bench", "--json", "/nonexistent/out.json"], "no folder /nonexistent"),
        (["run"], "name a scene"),
        (["run", "nope"], "there is no scene 'nope'"),
        (["run", "vector_exampel"], "did you mean 'vector_example'"),
        (["run", "vector_example", "-p", "a9sim"], "PLATFORM_UNKNOWN"),
        (["run", "vector_example", "-r", "nope"], "there is no scene 'nope/vector_example'"),
        (["run", "host_build_graph/vector_example", "--case", "nope"], "there is no case 'nope'"),
        (["run", "vector_example", "--case", "random", "--all-cases"], "exclude each other"),
        (["run", "vector_example", "--rounds", "0"], "--rounds"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_2_and_says_why(words: list[str], reason: str, scenes_root: Path) -> None:
    result = CliRunner(env={"CHIPHOST_SCENES_DIR": str(scenes_root)}).invoke(cli, words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert reason in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [("CXX", "/nonexistent/g++", "COMPILER_MISSING"), ("CHIPHOST_CACHE_DIR", "/dev/null", "CACHE_UNUSABLE")],
)
@pytest.mark.parametrize("words", [["ci", "-p", "a2a3sim"], ["run", "passes"], ["bench"]], ids=lambda words: words[0])
def test_an_environment_that_cannot_work_is_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str, words: list[str]
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("CHIPHOST_SCENES_DIR", str(write_scenes(tmp_path, "passes")))
    result = invoke(*words)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert "hint: " in result.stderr


def test_a_traceback_only_for_those_who_ask() -> None:
    assert "Traceback" not in finish("ci", "-p", "a9sim")[2]
    code, _, err = finish("ci", "-p", "a9sim", CHIPHOST_DEBUG="1")
    assert code == 2
    assert "Traceback" in err
    assert "PLATFORM_UNKNOWN" in err


def test_a_terminal_gets_colours_and_a_bar_and_a_pipe_plain_lines(tmp_path: Path) -> None:
    words = ["ci", "-p", "a2a3sim", "--scenes", write_scenes(tmp_path, "passes", "throws")]
    code, shown = in_terminal(words)
    assert code == 1
    assert "\x1b[32mPASS\x1b[0m" in shown
    assert "\x1b[?25l" in shown  # the bar hides the cursor
    assert "━" in shown
    assert last_line(shown).endswith("Total: 2  Passed: 1  Failed: 1")
    code, out, _ = finish(*words)
    assert code == 1
    assert "\x1b" not in out
    assert "━" not in out


def test_no_color_is_respected(tmp_path: Path) -> None:
    words = ["ci", "-p", "a2a3sim", "--scenes", write_scenes(tmp_path, "passes")]
    assert not re.search(r"\x1b\[[0-9;]*m", in_terminal(words, NO_COLOR="1")[1])


def test_a_terminal_that_cannot_move_its_cursor_gets_no_bar(tmp_path: Path) -> None:
    words = ["ci", "-p", "a2a3sim", "--scenes", write_scenes(tmp_path, "passes")]
    _, shown = in_terminal(words, TERM="dumb")
    assert "\x1b" not in shown
    assert shown.splitlines()[2:] == ["Total: 1  Passed: 1  Failed: 0"]

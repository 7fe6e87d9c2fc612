# SPDX-License-Identifier: Apache-2.0
"""The program `chiphost`: what it prints, where, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import junitparser
import pytest
from click.testing import CliRunner, Result
from throwaway_scenes import RUNTIME, warm_cache, write_scenes

from chiphost import __version__, runtimes
from chiphost.cli import cli

PROGRAM = [sys.executable, "-m", "chiphost"]
TIMEOUT_S = 120
both_modes = pytest.mark.parametrize("mode", [[], ["--parallel"]], ids=["serial", "parallel"])


def invoke(*words: str | Path) -> Result:
    result = CliRunner().invoke(cli, [str(word) for word in words], prog_name="chiphost")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def start(*words: str | Path, **options: str) -> subprocess.Popen[str]:
    """The program in a process of its own."""
    return subprocess.Popen(
        [*PROGRAM, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **options},
    )


def finish(*words: str | Path, **options: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the program in a process of its own."""
    with start(*words, **options) as process:
        out, err = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, out, err


def in_terminal(words: Sequence[str | Path], **options: str) -> tuple[int, str]:
    """Exit code and output of the program in a pseudo-terminal."""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(
        [*PROGRAM, *map(str, words)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "TERM": "xterm", **options},
    )
    os.close(theirs)
    output = b""
    with contextlib.suppress(OSError):  # how a pseudo-terminal ends
        while block := os.read(ours, 1 << 16):
            output += block
    os.close(ours)
    return process.wait(timeout=TIMEOUT_S), output.decode()


def last_line(output: str) -> str:
    return output.splitlines()[-1]


# The program as a whole


def test_help_and_version() -> None:
    result = invoke("--help")
    assert result.exit_code == 0
    for command in ("run", "ci", "doctor", "bench"):
        assert re.search(rf"^  {command} ", result.output, re.MULTILINE)
        assert invoke(command, "--help").exit_code == 0
    assert invoke("--version").output == f"chiphost {__version__}\n"


def test_the_modules_of_commands_import_little() -> None:
    # chiphost/__init__.py imports what it likes; none of that is in the way here.
    script = """
import sys, types
package = types.ModuleType("chiphost")
package.__path__ = [sys.argv[1]]
sys.modules["chiphost"] = package
from click.testing import CliRunner
from chiphost.cli import cli
assert CliRunner().invoke(cli, ["ci", "--help"]).exit_code == 0
heavy = {"numpy", "rich", "junitparser", "chiphost._core"} & set(sys.modules)
assert not heavy, heavy
"""
    package = Path(runtimes.__file__).parent
    subprocess.run([sys.executable, "-c", script, str(package)], check=True, timeout=TIMEOUT_S)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nonsense"], "No such command"),
        (["ci"], "--platform"),
        (["ci", "-p", "a9sim"], "PLATFORM_UNKNOWN"),
        (["ci", "-p", "a2a3sim", "-r", "nope"], "RUNTIME_UNKNOWN"),
        (["ci", "-p", "a2a3sim", "-k", "nope"], "vector_example"),  # says what there is
        (["ci", "-p", "a2a3sim", "-t", "0"], "-t"),
        (["ci", "-p", "a2a3sim", "-t", "soon"], "-t"),
        (["ci", "-p", "a2a3sim", "--seed", "-1"], "--seed"),
        (["ci", "-p", "a2a3sim", "--sim-threads", "0"], "--sim-threads"),
        (["ci", "-p", "a2a3sim", "--sim-threads", "65"], "1 to 64"),
        (["ci", "-p", "a2a3sim", "--isolation", "hope"], "--isolation"),
        (["ci", "-p", "a2a3sim", "--scenes", "/nonexistent"], "/nonexistent"),
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
        (["run", "vector_example", "--case", "nope"], "there is no case 'nope'"),
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


# ci


def test_ci_of_chiphost_s_own_scenes(scenes_root: Path) -> None:
    result = invoke("ci", "-p", "a2a3sim", "--scenes", scenes_root)
    assert result.exit_code == 0, result.output
    count = len(list(scenes_root.glob("*/*/scene.py")))
    assert last_line(result.stdout) == f"Total: {count}  Passed: {count}  Failed: 0"
    assert result.stdout.count("PASS  ") == count
    assert len(result.stdout.splitlines()) == count + 1


FAILING = ("wrong_golden", "returns_error", "throws", "does_not_compile", "invalid")


@both_modes
def test_ci_reports_each_failure_and_goes_on(tmp_path: Path, mode: list[str]) -> None:
    scenes = write_scenes(tmp_path / "scenes", *FAILING, "passes", "other_platform")
    files = (tmp_path / "out.json", tmp_path / "out.xml")
    options = ["--scenes", scenes, "--seed", "7", "--json", files[0], "--junit", files[1], *mode]
    result = invoke("ci", "-p", "a2a3sim", *options)
    assert result.exit_code == 1
    assert last_line(result.stdout) == "Total: 6  Passed: 1  Failed: 5"
    for name in FAILING:
        assert re.search(rf"^FAIL  {RUNTIME}/{name} ", result.stdout, re.MULTILINE)
    assert re.search(rf"^PASS  {RUNTIME}/passes ", result.stdout, re.MULTILINE)
    replay = f"again: chiphost run {RUNTIME}/throws -p a2a3sim --all-cases --seed 7 --scenes {scenes}"
    assert replay in result.stdout

    report = json.loads(files[0].read_text())
    assert (report["total"], report["passed"], report["failed"]) == (6, 1, 5)
    reasons = {scene["name"].partition("/")[2]: scene["error"] for scene in report["scenes"]}
    assert reasons.pop("passes") is None
    assert sorted(reasons) == sorted(FAILING)
    assert "GOLDEN_MISMATCH" in reasons["wrong_golden"]
    assert "returned 42" in reasons["returns_error"]
    assert "kernel says no" in reasons["throws"]
    assert "nonsense" in reasons["does_not_compile"]
    assert "undefined" in reasons["invalid"]
    assert {scene["seed"] for scene in report["scenes"]} == {7}

    cases = [case for suite in junitparser.JUnitXml.fromfile(str(files[1])) for case in suite]
    assert len(cases) == 2 * 5 + 1
    assert {case.classname for case in cases if not case.result} == {f"a2a3sim.{RUNTIME}/passes"}


def test_the_command_that_ci_names_fails_in_the_same_way(tmp_path: Path) -> None:
    write_scenes(tmp_path, "wrong_golden")
    output = invoke("ci", "-p", "a2a3sim", "--scenes", tmp_path, "--seed", "5").stdout
    worst = next(line.strip() for line in output.splitlines() if "worst" in line)
    [command] = re.findall("again: chiphost (.*)", output)
    again = invoke(*command.split())
    assert again.exit_code == 1
    assert worst in again.stdout


@pytest.mark.parametrize("isolation", ["namespace", "copy", "auto"])
def test_ci_in_every_isolation(tmp_path: Path, isolation: str) -> None:
    write_scenes(tmp_path, "passes")
    assert invoke("ci", "-p", "a2a3sim", "--scenes", tmp_path, "--isolation", isolation).exit_code == 0


def test_ci_selects_by_text_and_runtime(tmp_path: Path) -> None:
    write_scenes(tmp_path, "passes", "throws")
    result = invoke("ci", "-p", "a2a3sim", "--scenes", tmp_path, "-k", "Passes", "-r", RUNTIME)
    assert (result.exit_code, last_line(result.stdout)) == (0, "Total: 1  Passed: 1  Failed: 0")


@both_modes
def test_a_hanging_kernel_meets_the_deadline(tmp_path: Path, mode: list[str]) -> None:
    scenes = write_scenes(tmp_path / "scenes", "hangs", a_passes="passes")
    warm_cache(scenes)
    code, out, _ = finish("ci", "-p", "a2a3sim", "--scenes", scenes, "-t", "5", "--json", tmp_path / "out.json", *mode)
    assert code == 1
    assert last_line(out) == "Total: 2  Passed: 1  Failed: 1"
    [error] = [scene["error"] for scene in json.loads((tmp_path / "out.json").read_text())["scenes"] if scene["error"]]
    assert error.startswith("case 'default': stopped: the deadline of 5 s was over: DEADLINE_EXCEEDED")
    assert "kernel 0 of task 0" in error
    assert error.endswith("not started: the deadline of 5 s was over")  # its second case


def test_in_turn_what_comes_after_a_hang_is_not_started(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "hangs", z_passes="passes")
    warm_cache(scenes)
    code, out, _ = finish("ci", "-p", "a2a3sim", "--scenes", scenes, "-t", "4")
    assert code == 1
    assert re.search(rf"FAIL  {RUNTIME}/z_passes .*\n      not started: the deadline of 4 s was over", out)
    assert last_line(out) == "Total: 2  Passed: 0  Failed: 2"


def test_a_poisoned_worker_is_replaced(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "hangs", z_passes="passes")
    warm_cache(scenes)
    script = """
import sys
from pathlib import Path
from chiphost import catalog
from chiphost.runner import Runner, Settings
entries = catalog.select(Path(sys.argv[1]), platform="a2a3sim")
for result in Runner(Settings("a2a3sim", timeout_s=0.5)).run(entries):
    print(result.name, *(case.error.split()[0] if case.error else "passed" for case in result.cases))
"""
    command = [sys.executable, "-c", script, str(scenes)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.stdout.splitlines() == [
        f"{RUNTIME}/hangs DEADLINE_EXCEEDED DEADLINE_EXCEEDED",  # and not POISONED
        f"{RUNTIME}/z_passes passed passed",
    ], done.stderr


def test_python_code_that_hangs_in_a_thread_does_not_keep_the_program(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "hangs_in_python", "passes")
    warm_cache(scenes)
    code, out, err = finish("ci", "-p", "a2a3sim", "--scenes", scenes, "-t", "4", "--parallel")
    assert code == 1
    assert "case 'default': stopped: the deadline of 4 s was over" in out
    assert (last_line(out), err) == ("Total: 2  Passed: 1  Failed: 1", "")


@both_modes
def test_ctrl_c_reports_what_is_done(tmp_path: Path, mode: list[str]) -> None:
    scenes = write_scenes(tmp_path / "scenes", "hangs", a_passes="passes")
    with start("ci", "-p", "a2a3sim", "--scenes", scenes, "--json", tmp_path / "out.json", *mode) as process:
        assert process.stdout is not None
        first = process.stdout.readline()  # rows are not kept back until the end
        assert first.startswith(f"PASS  {RUNTIME}/a_passes")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert "chiphost: interrupted" in err
    assert "Traceback" not in err
    assert last_line(out) == "Total: 2  Passed: 1  Failed: 1"
    scenes_reported = json.loads((tmp_path / "out.json").read_text())["scenes"]
    assert [scene["passed"] for scene in scenes_reported] == [True, False]
    assert "interrupted" in scenes_reported[1]["error"]


@pytest.mark.parametrize("words", [["ci", "-p", "a2a3sim"], ["run", "--list"], ["--help"], ["doctor"]], ids=" ".join)
def test_a_reader_that_goes_away(tmp_path: Path, words: list[str]) -> None:
    write_scenes(tmp_path, "passes", "throws")
    with start(*words, CHIPHOST_SCENES_DIR=str(tmp_path)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        process.wait(timeout=TIMEOUT_S)
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


def test_without_a_standard_output(tmp_path: Path) -> None:
    write_scenes(tmp_path, "passes")
    command = [*PROGRAM, "ci", "-p", "a2a3sim", "--scenes", str(tmp_path)]
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *command], capture_output=True, timeout=TIMEOUT_S)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_locale_that_cannot_say_what_a_compiler_says(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "does_not_compile")
    kernel = scenes / RUNTIME / "does_not_compile" / "kernel.cpp"
    kernel.write_text(kernel.read_text().replace("nonsense;", '#error "größer"'))
    code, out, err = finish("ci", "-p", "a2a3sim", "--scenes", scenes, PYTHONIOENCODING="ascii")
    assert (code, last_line(out)) == (1, "Total: 1  Passed: 0  Failed: 1"), err
    assert "gr\\xf6\\xdfer" in out


def test_a_report_that_cannot_be_written_after_all_is_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chiphost.report import ReportFile

    def fail(self: ReportFile, content: str) -> None:
        raise OSError("no room")

    monkeypatch.setattr(ReportFile, "write", fail)
    scenes = write_scenes(tmp_path / "scenes", "passes")
    result = invoke("ci", "-p", "a2a3sim", "--scenes", scenes, "--json", tmp_path / "out.json")
    assert result.exit_code == 2
    assert last_line(result.stdout) == "Total: 1  Passed: 1  Failed: 0"
    assert "no room" in result.stderr


# In a terminal and in a pipe


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
    assert shown.splitlines()[1:] == ["Total: 1  Passed: 1  Failed: 0"]


# run


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
        "      platforms: a2a3sim, a5sim",
    ]
    assert "SCENE_INVALID" in result.stdout
    assert RUNTIME in invoke("run", "passes", "--list", "--scenes", tmp_path).stdout
    assert invoke("run", "--list", "--scenes", tmp_path, "-r", "other").stdout == ""


# doctor


def test_doctor_on_a_machine_that_works(tmp_path: Path) -> None:
    result = invoke("doctor", "--json", tmp_path / "doctor.json")
    assert result.exit_code == 0, result.output
    assert last_line(result.stdout) == "This machine can run the simulated platforms."
    found = json.loads((tmp_path / "doctor.json").read_text())
    assert (found["ok"], found["problems"], found["version"]) == (True, [], __version__)
    assert {(load["platform"], load["runtime"]) for load in found["runtimes"]} == {
        (platform, name) for platform, names in runtimes.installed().items() for name in names
    }
    assert all(load["ok"] for load in found["runtimes"])
    assert sum(compiler["used"] for compiler in found["compilers"]) == 1
    assert found["namespaces"]["opened"] <= found["namespaces"]["limit"]
    assert found["cache"]["root"] == os.environ["CHIPHOST_CACHE_DIR"]


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("CXX", "/nonexistent/g++", "no C++ compiler works"),
        ("CHIPHOST_CACHE_DIR", "/dev/null", "the compile cache cannot be used"),
        ("CHIPHOST_LIB_DIR", "/nonexistent", "no runtime is installed for a2a3sim"),
    ],
)
def test_doctor_finds_what_is_missing(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str) -> None:
    monkeypatch.setenv(variable, value)
    result = invoke("doctor")
    assert result.exit_code == 1
    assert last_line(result.stdout).startswith("This machine cannot run the simulated platforms: ")
    assert reason in last_line(result.stdout)


def test_doctor_reports_a_runtime_that_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = runtimes.library_dir()
    for platform, names in runtimes.installed().items():
        for name in names:
            (tmp_path / platform / name).mkdir(parents=True)
            for file in (original / platform / name).iterdir():
                (tmp_path / platform / name / file.name).write_bytes(file.read_bytes()[:100])
    (tmp_path / "chiphost_anchor.so").symlink_to(original / "chiphost_anchor.so")
    monkeypatch.setenv("CHIPHOST_LIB_DIR", str(tmp_path))
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "FILE_TRUNCATED" in result.stdout
    assert f"{RUNTIME} cannot be loaded for a2a3sim" in last_line(result.stdout)

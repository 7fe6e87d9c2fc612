# SPDX-License-Identifier: Apache-2.0
"""Standard output and reports: full, closed, a pipe, or a locale that cannot say what is to be said."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from invocation import invoke, last_line
from processes import wait_for
from program import PROGRAM, SHELL, TIMEOUT_S, finish, needs_shell, start
from throwaway_scenes import RUNTIME, write_scenes


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    "words",
    [["ci", "-p", "a2a3sim", "--json", "out.json"], ["run", "passes"], ["run", "--list"], ["--help"]],
    ids=" ".join,
)
def test_a_full_disk(tmp_path: Path, words: list[str]) -> None:
    write_scenes(tmp_path, "passes")
    environment = {**os.environ, "CHIPHOST_SCENES_DIR": str(tmp_path)}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, *words],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            timeout=TIMEOUT_S,
        )
    assert done.stderr == "chiphost: cannot write standard output: No space left on device\n"
    assert done.returncode == 4
    if "--json" in words:
        assert json.loads((tmp_path / "out.json").read_text())["passed"] == 1


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
    from chiphost._reports.file import ReportFile

    def fail(self: ReportFile, content: str) -> None:
        raise OSError("no room")

    monkeypatch.setattr(ReportFile, "write", fail)
    scenes = write_scenes(tmp_path / "scenes", "passes")
    result = invoke("ci", "-p", "a2a3sim", "--scenes", scenes, "--json", tmp_path / "out.json")
    assert result.exit_code == 2
    assert last_line(result.stdout) == "Total: 1  Passed: 1  Failed: 0"
    assert "no room" in result.stderr


def test_a_report_to_standard_output_comes_before_the_last_line(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "passes")
    words = ["ci", "-p", "a2a3sim", "--scenes", scenes, "--json", "/dev/stdout"]
    code, out, _ = finish(*words)  # a pipe
    assert code == 0
    row, time_line, json_and_total = out.split("\n", 2)
    assert (row[:6], time_line[:6]) == ("PASS  ", "Time: ")
    assert json.loads(json_and_total[: json_and_total.index("Total: ")])["passed"] == 1

    log = tmp_path / "log"
    with log.open("w") as file:
        file.write("before\n")
        file.flush()
        done = subprocess.run([*PROGRAM, *map(str, words)], stdout=file, timeout=TIMEOUT_S)
    assert done.returncode == 0
    first, row, _, json_and_total = log.read_text().split("\n", 3)
    assert (first, row[:6]) == ("before", "PASS  ")
    assert json.loads(json_and_total[: json_and_total.index("Total: ")])["passed"] == 1


@needs_shell
def test_a_report_to_a_pipe_that_the_shell_made(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "passes")
    command = [*PROGRAM, "ci", "-p", "a2a3sim", "--scenes", str(scenes)]
    script = f'"$@" --json >(cat > {tmp_path}/out.json); wait'
    subprocess.run([SHELL, "-c", script, SHELL, *command], check=True, timeout=TIMEOUT_S)
    report = tmp_path / "out.json"
    wait_for(lambda: report.exists() and report.read_text().endswith("}\n"))
    assert json.loads(report.read_text())["passed"] == 1

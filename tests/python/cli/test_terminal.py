# SPDX-License-Identifier: Apache-2.0
"""The screen of a person at a terminal: interruptions, breaks of lines, and guesses at misspelt names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from invocation import invoke
from program import SHELL, TIMEOUT_S, finish, in_terminal, interrupt, needs_shell, start
from throwaway_scenes import RUNTIME, change, write_scenes

from chiphost import _core
from chiphost._cli import terminal as console
from chiphost._machine import machine
from chiphost._runtimes import runtimes
from chiphost.errors import ChiphostError

# Ctrl-C


def test_ctrl_c_in_a_terminal_is_one_line(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path, "hangs", a_passes="passes", z_passes="passes")
    row = f"PASS  {RUNTIME}/a_passes  "  # the bar has the name, too, while the scene runs
    code, shown = in_terminal(["ci", "--scenes", scenes], columns=200, interrupt_at=row, NO_COLOR="1")
    assert code == 130, shown
    lines = plain(shown)[-3:]  # the row that was waited for may still share its line with the bar
    assert [lines[0][:6], lines[1]] == ["Time: ", "Total: 3  Passed: 1  Failed: 2"]
    # The first scene has ended for sure; it is a matter of luck if the next has begun.
    assert re.fullmatch(rf"chiphost: interrupted( in {RUNTIME}/hangs)?; 1 of 3 scenes had ended", lines[2])


def plain(shown: str) -> list[str]:
    """Lines of a terminal without escapes, without its echo, and without lines overwritten by the progress bar."""
    lines = (re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]|\^C", "", line).rpartition("\r")[2] for line in shown.split("\r\n"))
    return [line for line in lines if line.strip() and "━" not in line]


def test_ctrl_c_of_a_single_scene_shows_what_was_done(tmp_path: Path) -> None:
    write_scenes(tmp_path, "passes")
    change(tmp_path, "passes", "kernel.cpp", "// fault", "if (elements == 1) for (;;) usleep(10000);")
    change(tmp_path, "passes", "scene.py", 'return {"out"', 'open(MARK, "w").close()\n    return {"out"')
    mark = tmp_path / "mark"
    change(tmp_path, "passes", "scene.py", "import numpy as np", f"import numpy as np\nMARK = {str(mark)!r}")
    with start("run", "passes", "--all-cases", "--scenes", tmp_path) as process:
        while not mark.exists():
            assert process.poll() is None
        code, out, err = interrupt(process)
    assert code == 130
    assert re.fullmatch(rf"chiphost: interrupted in {RUNTIME}/passes; [01] of 2 cases had ended\n", err)
    assert "one" not in out  # its second case


def interrupted(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Let a function be interrupted when it is called."""

    def stop(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(where, stop)


@pytest.mark.parametrize(
    ("words", "where", "said"),
    [
        (["doctor"], "chiphost._machine.machine.look", "interrupted; nothing is known yet"),
        (["bench", "--quick"], "chiphost._bench.figures._first_load", "interrupted; 0 figures had been measured"),
        (
            ["bench", "--quick", "--isolation"],
            "chiphost._bench.isolation.four_tasks",
            "interrupted; 0 figures had been measured",
        ),
        (["audit", _core.__file__, _core.__file__], "chiphost.audit.audit", "interrupted; 0 of 2 files had ended"),
        (
            ["conform", "-p", "a2a3sim", "-k", "memory.aligned"],
            "chiphost._conformance.suite.run",
            "0 of 1 test had ended",
        ),
        (["cmake-dir"], "chiphost._runtimes.installation.folder", "interrupted"),
        (["run", "--list"], "chiphost.scenes.catalog.load", "interrupted"),
        (["ci"], "chiphost.scenes.catalog.load", "interrupted"),
        (["run", "host_build_graph/vector_example"], "chiphost.scenes.catalog.load", "interrupted"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_every_command_ends_with_130_and_one_line(
    monkeypatch: pytest.MonkeyPatch, words: list[str], where: str, said: str, scenes_root: Path
) -> None:
    monkeypatch.setenv("CHIPHOST_SCENES_DIR", str(scenes_root))
    interrupted(monkeypatch, where)
    result = invoke(*words)
    assert result.exit_code == 130
    [line] = result.stderr.splitlines()
    assert line.startswith("chiphost: interrupted")
    assert line.endswith(said)


def test_bench_shows_what_was_measured_before_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(monkeypatch, "chiphost._bench.figures._idle")
    monkeypatch.setattr("chiphost._bench.figures._graphs", lambda device, effort: iter(()))
    monkeypatch.setattr("chiphost._bench.figures._compare", lambda rates, effort: iter(()))
    monkeypatch.setattr("chiphost._bench.figures.times", lambda function, count: [1e-6])
    result = invoke("bench", "--quick", "--json", tmp_path / "out.json")
    assert result.exit_code == 130
    assert "run it again after reset" in result.stdout
    [line] = result.stderr.splitlines()
    assert re.fullmatch(r"chiphost: interrupted; \d figures had been measured; .*/out.json was not written", line)
    assert not (tmp_path / "out.json").exists()


def test_what_conform_did_not_try_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(monkeypatch, "chiphost._conformance.suite.run")
    report = tmp_path / "out.json"
    assert invoke("conform", "-p", "a2a3sim", "-k", "memory.aligned", "--json", report).exit_code == 130
    assert '"passed": 0' in report.read_text()
    assert '"failed": 1' in report.read_text()


# Lines


def words_of(lines: Sequence[str]) -> list[str]:
    return " ".join(lines).split()


@pytest.mark.parametrize("width", [20, 33, 34, 80])
def test_lines_are_broken_between_words(width: int) -> None:
    line = "  hint: some words, and a-very-long-word-that-is-wider-than-a-narrow-terminal: and größere 漢字漢字 words"
    broken = console.broken(line, width)
    assert words_of(broken) == words_of([line])
    assert broken[0].startswith("  hint: ")
    assert all(piece.startswith("      ") and piece[6] != " " for piece in broken[1:])
    for piece in broken:
        assert console.cell_count(piece) <= width or len(piece.split()) == 1
    assert console.broken(line, None) == [line]


@needs_shell
def test_a_command_that_is_broken_can_still_be_pasted(tmp_path: Path) -> None:
    words = [
        "printf",
        "%s\\n",
        "a b  c",
        "it's",
        "q'\t  x y\x01 'z w",
        *(f"word{index}" for index in range(9)),
        "d\n\x1be",
    ]
    from chiphost._text.printable import shell_join

    broken = console.broken(f"  again: {shell_join(words)}", 30, command=True)
    assert len(broken) > 3
    script = "\n".join(broken).replace("again: ", "", 1)
    done = subprocess.run([SHELL, "-c", script], capture_output=True, text=True, check=True, timeout=TIMEOUT_S)
    assert done.stdout == "\n".join(words[2:]) + "\n"


@pytest.mark.parametrize("columns", [60, 132])
def test_nothing_is_wider_than_the_terminal(tmp_path: Path, columns: int) -> None:
    scenes = write_scenes(tmp_path / "a-rather-long-name-of-a-folder", "returns_error", "passes")
    commands: list[list[str | Path]] = [
        ["ci", "--scenes", scenes],
        ["doctor", "--details"],
        ["run", "vector_exampel", "--scenes", scenes],
        ["ci", "--isolation", "namspace"],
        ["--help"],
        ["ci", "--help"],
    ]
    for words in commands:
        _, shown = in_terminal(words, columns=columns, NO_COLOR="1")
        for line in plain(shown):
            assert len(line) <= columns or len(line.removesuffix(" \\").split()) <= 1, (words, line)
    widest = max(len(line) for line in plain(in_terminal(["ci", "--help"], columns=132)[1]))
    assert 100 < widest <= 132


def test_a_pipe_gets_whole_lines(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / ("long " * 30), "returns_error")
    code, out, _ = finish("ci", "--scenes", scenes, COLUMNS="40")
    assert code == 1
    assert f"--scenes '{scenes}'" in out


def test_a_table_in_a_narrow_terminal_is_lines() -> None:
    script = """
import sys
from chiphost._cli.console import make_console
from chiphost._cli.table import print_table
columns = [("What", "left"), ("Measured", "right"), ("", "left")]
print_table(make_console(), columns, [["a figure with a name", "12,345.6", "tasks/s"], ["other", "1", "ms"]])
"""
    code, shown = in_program(script, columns=24)
    assert (code, plain(shown)) == (
        0,
        ["a figure with a name:", "    measured 12,345.6", "    tasks/s", "other: measured 1 ms"],
    )
    assert len(plain(in_program(script, columns=80)[1])) == 3


def in_program(script: str, columns: int) -> tuple[int, str]:
    """Like in_terminal(), for a Python program."""
    import program

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "PROGRAM", [sys.executable, "-c", script])
        return in_terminal([], columns=columns)


# Misspelt names


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["rn", "vector_example"], "run"),
        (["doctro"], "doctor"),
        (["ci", "-p", "a2a3sm"], "a2a3sim"),
        (["run", "vector_example", "-p", "A5SIM"], "a5sim"),
        (["conform", "-p", "a2a3sm"], "a2a3sim"),
        (["ci", "-r", "host_build_grph"], RUNTIME),
        (["run", "vector_example", "-r", "hostbuildgraph"], RUNTIME),
        (["run", "vector_exampel"], "vector_example"),
        (["run", "host_build_graph/vector_exampel"], "host_build_graph/vector_example"),
        (["run", "host_build_grph/vector_example"], "host_build_graph/vector_example"),
        (["run", "./scenes/host_build_graph/vector_exampel"], "host_build_graph/vector_example"),
        (["ci", "-k", "paged_atention"], "paged_attention"),
        (["run", "host_build_graph/vector_example", "--case", "defualt"], "default"),
        (["ci", "--isolation", "namspace"], "namespace"),
        (["ci", "--isolation", "Process"], "process"),
        (["audit", "x.so", "--strategy", "coppy"], "copy"),
        (["conform", "-p", "a2a3sim", "--isolation", "cpy"], "copy"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_misspelt_gets_a_guess(
    monkeypatch: pytest.MonkeyPatch, words: list[str], meant: str, scenes_root: Path
) -> None:
    monkeypatch.setenv("CHIPHOST_SCENES_DIR", str(scenes_root))
    result = invoke(*words)
    assert result.exit_code == 2
    assert re.search(rf"[Dd]id you mean '?{re.escape(meant)}'?\?", result.stderr), result.stderr
    assert "element_access" not in result.stderr or "-k" in words  # one guess, and no list of all there is


@pytest.mark.parametrize("words", [["ci", "-p", "nothing_like_it"], ["run", "nothing_like_it"]], ids=" ".join)
def test_no_guess_is_better_than_a_wrong_one(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    assert "did you mean" not in invoke(*words).stderr.lower()


@pytest.mark.parametrize("option", ["isolation", "runtime", "platform"])
def test_python_guesses_too(option: str) -> None:
    import chiphost as ch

    wrong = {"isolation": "namspace", "runtime": "host_build_grap", "platform": "a2a3sm"}[option]
    right = {"isolation": "namespace", "runtime": RUNTIME, "platform": "a2a3sim"}[option]
    with pytest.raises(ChiphostError) as caught:
        ch.ChipWorker(**{"runtime": RUNTIME, option: wrong})  # type: ignore[arg-type]
    assert caught.value.hint.startswith(f"did you mean {right!r}? ")


# Names and paths of scenes


@pytest.mark.parametrize(
    "scene",
    [
        "{root}/host_build_graph/passes",
        "{root}/host_build_graph/passes/",
        "{root}/host_build_graph/passes/scene.py",
        "host_build_graph/passes",
        "host_build_graph/passes/",
        "./host_build_graph/passes",
        "host_build_graph/../host_build_graph/passes//",
    ],
)
def test_a_scene_may_be_given_by_its_path(tmp_path: Path, scene: str) -> None:
    root, other = write_scenes(tmp_path / "mine", "passes"), write_scenes(tmp_path / "other", "throws")
    code, out, err = finish("run", scene.format(root=root), directory=root, CHIPHOST_SCENES_DIR=str(other))
    assert (code, err) == (0, "")
    assert out.startswith(f"{RUNTIME}/passes on a2a3sim: ")


def test_the_folder_one_is_in_is_a_scene(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path, "passes") / RUNTIME / "passes"
    for words in (["run", "."], ["run", "scene.py"], ["ci", "--scenes", "."]):
        assert finish(*words, directory=folder)[0] == 0


def test_a_name_goes_before_a_path(tmp_path: Path) -> None:
    root = write_scenes(tmp_path / "root", "passes")
    here = write_scenes(tmp_path / "here", passes="throws")
    assert finish("run", f"{RUNTIME}/passes", "--scenes", root, directory=here)[0] == 0
    assert finish("run", f"./{RUNTIME}/passes", "--scenes", root, directory=here)[0] == 1


def test_a_folder_that_is_no_scene_is_named(tmp_path: Path) -> None:
    (tmp_path / RUNTIME / "empty").mkdir(parents=True)
    root = write_scenes(tmp_path / "root", "passes")
    code, _, err = finish("run", f"{tmp_path}/{RUNTIME}/empty", "--scenes", root)
    assert code == 2
    assert f"{tmp_path}/{RUNTIME}/empty: there is no scene.py in this folder" in err
    code, _, err = finish("ci", "--scenes", tmp_path / RUNTIME / "empty")
    assert code == 2
    assert "there is no scene in this folder" in err
    assert "<runtime>/<scene>" in err
    code, _, err = finish("run", f"{root}/{RUNTIME}/passes", "-r", "aicpu_build_graph", "--scenes", root)
    assert code == 2
    assert f"it is for the runtime {RUNTIME}, not for aicpu_build_graph" in err


@pytest.mark.parametrize("folder", ["", RUNTIME, f"{RUNTIME}/passes", f"{RUNTIME}/passes/"])
def test_scenes_may_be_all_or_one(tmp_path: Path, folder: str) -> None:
    write_scenes(tmp_path, "passes", "throws")
    scenes = f"{tmp_path}/{folder}"
    result = invoke("ci", "--scenes", scenes, "-k", "passes")
    assert result.exit_code == 0, result.output
    assert f"PASS  {RUNTIME}/passes " in result.stdout
    assert invoke("run", "passes", "--scenes", scenes).exit_code == 0


def test_what_ci_names_runs_again_also_for_one_scene(tmp_path: Path) -> None:
    scene = write_scenes(tmp_path, "wrong_golden") / RUNTIME / "wrong_golden"
    output = invoke("ci", "--scenes", scene).stdout
    [command] = re.findall("again: chiphost (.*)", output)
    assert invoke(*command.split()).exit_code == 1


# Runtimes


@pytest.mark.parametrize("further", ["", "/nonexistent", f"/nonexistent{os.pathsep}/nowhere"])
@pytest.mark.parametrize("library", ["", "/no_library"])
@pytest.mark.parametrize("words", [["ci", "-r", "nope"], ["ci"]], ids=" ".join)
def test_an_unknown_runtime_names_the_variable_once(
    monkeypatch: pytest.MonkeyPatch, further: str, library: str, words: list[str]
) -> None:
    if words == ["ci"] and not library:
        return  # there are runtimes
    monkeypatch.setenv("CHIPHOST_RUNTIME_PATH", further)
    monkeypatch.setenv("CHIPHOST_LIB_DIR", library)
    result = invoke(*words)
    assert result.exit_code == 2
    assert result.stderr.count("RUNTIME_UNKNOWN") == 1
    assert result.stderr.count("CHIPHOST_RUNTIME_PATH") == 1
    assert all(folder in result.stderr for folder in further.split(os.pathsep))


# ci and doctor


def test_ci_has_a_platform_and_says_how_long_it_took(tmp_path: Path) -> None:
    result = invoke("ci", "--scenes", write_scenes(tmp_path, "passes"))
    assert result.exit_code == 0
    _, took, total = result.stdout.splitlines()
    assert re.fullmatch(r"Time: \d+\.\d s", took)
    assert total == "Total: 1  Passed: 1  Failed: 0"


def test_doctor_has_one_line_for_chips_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from chiphost._machine import chips

    nothing = "the chip vendor's software is missing: a.so; looked here; and there"
    found = chips.ChipChecks(
        [chips.ChipCheck(name, False, nothing, ["aicore.so"]) for name in runtimes.real_chips()],
        [chips.ChipCompilerCheck("kernels", None, "ccec: not on PATH")],
        {"ASCEND_HOME_PATH": None, "PATH": "/bin"},
    )
    monkeypatch.setattr(machine.chips, "look", lambda: found)
    lines = invoke("doctor").stdout.splitlines()
    first = lines.index("Chips")
    assert lines[first + 1] == (
        "  -     a2a3, a5: the chip vendor's software is missing: a.so (what was looked for: chiphost doctor --details)"
    )
    assert not lines[first + 2].startswith(" ")
    lines = invoke("doctor", "--details").stdout.splitlines()
    assert lines[lines.index("Chips") + 6] == "  -     ASCEND_HOME_PATH is not set, PATH=/bin"

# SPDX-License-Identifier: Apache-2.0
"""Names and words from outside that no terminal, no XML and no encoding takes as they are."""

from __future__ import annotations

import ctypes
import functools
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import c_libraries
import junitparser
import pytest
from hostile_text import BYTE, is_plain
from program import PROGRAM, SHELL, TIMEOUT_S, finish, in_terminal, needs_shell, start
from throwaway_scenes import RUNTIME, change, write_scenes

import chiphost as ch
from chiphost import _core
from chiphost._text.printable import one_line, shell_join
from chiphost.scene import make_rng

LOCALES = {
    "UTF-8": {"PYTHONUTF8": "1"},
    "C": {"LC_ALL": "C"},
    "C without UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ascii": {"PYTHONIOENCODING": "ascii:strict"},
}


def test_random_numbers_of_any_name() -> None:
    draws = {make_rng(0, scene, case).integers(2**62) for scene in (BYTE, "cafe") for case in ("\ud800", "x")}
    assert len(draws) == 4


# Scenes


WORST = f"a\x1b[31m\nPASS  forged\t{BYTE}\x9b2J\u202e\ufffe<&>\"'[bold]"
WORST_SHOWN = r"a\x1b[31m\nPASS  forged\tcaf\xe9\x9b2J\u202e\ufffe<&>" + "\"'[bold]"
WORDS = "größer 漢字"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes that pass, and one for each way to fail. A compile takes a while, so one name has all the hostile text."""
    root = tmp_path_factory.mktemp("hostile")
    failing = {f"{kind} {WORST}": kind for kind in ("wrong_golden", "invalid", "does_not_compile")}
    return write_scenes(root, **{WORST: "passes", WORDS: "passes"}, **failing)


@pytest.mark.parametrize(
    ("isolation", "locale"), list(zip(("namespace", "copy", "process", "auto"), LOCALES, strict=True))
)
def test_ci_takes_scenes_of_every_name(scenes: Path, tmp_path: Path, isolation: str, locale: str) -> None:
    reports = (tmp_path / "out.json", tmp_path / "out.xml")
    words = ["ci", "--scenes", scenes, "--isolation", isolation, "--json", reports[0], "--junit", reports[1]]
    code, out, err = finish(*words, **LOCALES[locale])
    assert (code, err) == (1, "")
    assert is_plain(out)
    assert out.splitlines()[-1] == "Total: 5  Passed: 2  Failed: 3"
    assert len(re.findall("^PASS  host_build_graph/", out, re.MULTILINE)) == len(re.findall("^PASS", out, re.M)) == 2
    for reason in ("GOLDEN_MISMATCH", "SCENE_INVALID", "COMPILE_FAILED"):
        assert len(re.findall(f"^FAIL  .*\n      .*{reason}", out, re.MULTILINE)) == 1
    found = json.loads(reports[0].read_text(encoding="utf-8"))
    json.dumps(found, ensure_ascii=False).encode()
    assert (found["total"], found["passed"]) == (5, 2)
    junit = junitparser.JUnitXml.fromfile(str(reports[1]))
    if locale == "UTF-8":
        kinds = ("", "does_not_compile ", "invalid ", "wrong_golden ")
        shown = [*(f"{RUNTIME}/{kind}{WORST_SHOWN}" for kind in kinds), f"{RUNTIME}/{WORDS}"]
        assert sorted(one_line(each["name"]) for each in found["scenes"]) == sorted(shown)
        assert sorted(suite.name for suite in junit) == sorted(shown)
    else:
        assert len(list(junit)) == 5


@needs_shell
def test_the_command_that_ci_names_can_be_pasted(scenes: Path) -> None:
    _, out, _ = finish("ci", "--scenes", scenes, "-k", "wrong_golden")
    [command] = re.findall("again: chiphost (.*)", out)
    words = f"{shell_join(PROGRAM)} {command}"
    done = subprocess.run([SHELL, "-c", words], capture_output=True, timeout=TIMEOUT_S)
    assert done.returncode == 1, done.stderr
    assert b"GOLDEN_MISMATCH" in done.stdout


def test_a_terminal_gets_no_escapes_of_names(scenes: Path) -> None:
    code, shown = in_terminal(["ci", "--scenes", scenes], columns=100)
    assert code == 1
    assert r"a\x1b[31m" in shown
    assert "a\x1b[31m" not in shown
    assert "\x9b" not in shown
    assert "\nPASS  forged" not in shown.replace("\r", "")


def test_list_and_run_show_names(scenes: Path) -> None:
    code, out, err = finish("run", "--list", "--scenes", scenes, PYTHONIOENCODING="ascii:strict")
    assert (code, err) == (0, "")
    assert is_plain(out)
    code, out, err = finish("run", scenes / RUNTIME / WORST)
    assert (code, err) == (0, "")
    assert is_plain(out)
    assert out.startswith(f"{RUNTIME}/{WORST_SHOWN} on a2a3sim: out = x + 1\n")


@pytest.mark.parametrize("kind", ["crashes", "leaves_when_loaded"])
def test_an_early_end_names_the_scene(tmp_path: Path, kind: str) -> None:
    scenes = write_scenes(tmp_path / "scenes", **{f"{BYTE}\x1b[2J\nx": kind})
    reports = (tmp_path / "out.json", tmp_path / "out.xml")
    code, out, err = finish("ci", "--scenes", scenes, "--json", reports[0], "--junit", reports[1])
    assert code == 3
    assert is_plain(out + err)
    assert rf"{RUNTIME}/caf\xe9\x1b[2J\nx" in err
    [scene] = json.loads(reports[0].read_text())["scenes"]
    scene["name"].encode()
    assert [suite.name for suite in junitparser.JUnitXml.fromfile(str(reports[1]))] == [one_line(scene["name"])]


def test_ctrl_c_names_the_scene(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path, **{f"{BYTE}\x1b": "hangs", "a": "passes"})
    with start("ci", "--scenes", scenes) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("PASS")
        process.send_signal(2)
        _, err = process.communicate(timeout=TIMEOUT_S)
    assert is_plain(err)
    assert process.returncode == 130


HOSTILE = "\\x1b[2J\\udce9\\n\\x00\\ud800\\u202e\\x9b"


@pytest.fixture(scope="module")
def hostile_scenes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Writes a scene whose words are hostile and whose kernel has a fault, once for each: so it is compiled once."""

    @functools.cache
    def written(fault: str) -> Path:
        scenes = write_scenes(tmp_path_factory.mktemp("scenes"), passes="wrong_golden")
        for old, new in (
            ('"default": {', f'"{HOSTILE}": {{'),
            ('    config={"block_dim": 1},', f'    config={{"block_dim": 1}},\n    default_case="{HOSTILE}",'),
            ('"aiv")', f'"aiv", name="k{HOSTILE}")'),
            ('Out("out"', f'Out("out{HOSTILE}"'),
            ('"out": np.full', f'"out{HOSTILE}": np.full'),
            ('"out": args', f'"out{HOSTILE}": args'),
            ("out = x + 1", f"out{HOSTILE}"),
        ):
            change(scenes, "passes", "scene.py", old, new)
        change(scenes, "passes", "kernel.cpp", "// fault", fault)
        return scenes

    return written


@pytest.mark.parametrize(
    ("isolation", "fault"),
    [
        ("namespace", "// fault"),
        *((each, 'throw std::runtime_error("\\x1b[31m\\xe9\\n\\x01");') for each in ("namespace", "copy", "process")),
        *((each, "abort();") for each in ("copy", "process")),
    ],
)
def test_cases_kernels_arguments_and_errors_may_be_called_anything(
    hostile_scenes: Callable[[str], Path], tmp_path: Path, isolation: str, fault: str
) -> None:
    scenes = hostile_scenes(fault)
    reports = (tmp_path / "out.json", tmp_path / "out.xml")
    words = ["ci", "--scenes", scenes, "--isolation", isolation, "--json", reports[0], "--junit", reports[1]]
    code, out, err = finish(*words)
    assert code in (1, 3)
    assert is_plain(out + err), (out, err)
    assert "Traceback" not in err
    assert "Unicode" not in out + err
    [scene] = json.loads(reports[0].read_text())["scenes"]
    json.dumps(scene, ensure_ascii=False).encode()
    assert len(list(next(iter(junitparser.JUnitXml.fromfile(str(reports[1])))))) == 2
    code, out, err = finish("run", "passes", "--all-cases", "--scenes", scenes, "--isolation", isolation)
    assert code in (1, 3)
    assert is_plain(out + err), (out, err)


# Words and files


WRONG_WORDS = [
    ["run", "\x1b[2Jnope" + BYTE],
    ["run", f"/tmp/\x1b[2J{BYTE}/"],
    ["ci", "-k", "\x1b[2Jnope" + BYTE],
    ["ci", "-p", "\x1b[2J" + BYTE],
    ["ci", "-r", "\x1b[2J" + BYTE],
    ["ci", "--scenes", "/\x1b[2J" + BYTE],
    ["ci", "--json", "/\x1b[2J" + BYTE + "/out.json"],
    ["ci", "--isolation", "\x1b[2J" + BYTE],
    ["ci", "--seed", "\x1b[2J" + BYTE],
    ["ci", "--\x1b[2J" + BYTE],
    ["\x1b[2J" + BYTE],
    ["doctor", "\x1b[2J" + BYTE],
    ["audit", "/\x1b[2J" + BYTE],
    ["conform", "-p", "\x1b[2J" + BYTE],
    ["conform", "-p", "a2a3sim", "-k", "\x1b[2J" + BYTE],
    ["ci", "--build-runtime", "--source", "/\x1b[2J" + BYTE],
]


@pytest.mark.parametrize(
    ("words", "locale"),
    list(zip(WRONG_WORDS, itertools.cycle(["UTF-8", "ascii"]))),  # as all errors are written by the same code
    ids=lambda value: value if isinstance(value, str) else one_line(" ".join(value)),
)
def test_wrong_words_are_shown_without_harm(words: list[str], locale: str) -> None:
    code, out, err = finish(*words, **LOCALES[locale])
    assert (code, out) == (2, "")
    assert is_plain(err), err
    assert "Traceback" not in err
    assert "Unicode" not in err


def test_files_may_be_called_anything(tmp_path: Path) -> None:
    folder = tmp_path / f"{BYTE}\x1b[2J\n"
    folder.mkdir()
    shutil.copy(_core.__file__, folder / f"{BYTE}.so")
    report = folder / f"{BYTE}.json"
    code, out, err = finish("audit", folder / f"{BYTE}.so", "--json", report)
    assert (code, err) == (0, "")
    assert is_plain(out)
    json.dumps(json.loads(report.read_text()), ensure_ascii=False).encode()
    scenes = write_scenes(folder / "scenes", "passes", "does_not_compile", "invalid")
    settings = {"CHIPHOST_CACHE_DIR": str(folder / "cache"), "TMPDIR": str(folder)}
    code, out, err = finish("ci", "--scenes", scenes, "--junit", folder / "out.xml", "--json", report, **settings)
    assert (code, err) == (1, "")
    assert is_plain(out)
    assert "Passed: 1 " in out
    json.dumps(json.loads(report.read_text()), ensure_ascii=False).encode()
    assert len(list(junitparser.JUnitXml.fromfile(str(folder / "out.xml")))) == 3
    code, out, err = finish("doctor", "--json", report, **settings)
    assert (code, err) == (0, "")
    assert is_plain(out)


@pytest.mark.parametrize("strategy", ["namespace", "copy", "process"])
def test_a_library_may_be_called_anything(tmp_path: Path, strategy: str) -> None:
    built = c_libraries.build('extern "C" int one() { return 1; }\n', tmp_path / "one.so")
    library = built.rename(tmp_path / f"{BYTE}\x1b.so")
    with ch.isolate.open(library, strategy) as opened:
        assert opened.function("one", ctypes.c_int)() == 1
    with pytest.raises(ch.LoadError, match="FILE_UNREADABLE"):
        ch.isolate.open(tmp_path / f"no {BYTE}", strategy)

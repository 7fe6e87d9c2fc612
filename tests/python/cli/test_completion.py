# SPDX-License-Identifier: Apache-2.0
"""Completion in a shell: names of scenes, runtimes and platforms."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from program import PROGRAM, TIMEOUT_S
from throwaway_scenes import RUNTIME, write_scenes


def complete(words: str, **settings: str) -> list[str]:
    """The words that bash is offered for the last word."""
    environment = {
        **os.environ,
        "_CHIPHOST_COMPLETE": "bash_complete",
        "COMP_WORDS": f"chiphost {words}",
        "COMP_CWORD": str(len(words.split(" "))),
        **settings,
    }
    script = "from chiphost._cli.program import main; main()"
    command = [sys.executable, "-c", f"import sys; sys.argv[0] = 'chiphost'\n{script}"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=TIMEOUT_S)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("ci -p a2a3", ["a2a3sim", "a2a3"]),
        ("conform -p a5s", ["a5sim"]),
        ("run -r host", [RUNTIME]),
        ("ci --runtime host", [RUNTIME]),
        ("run host_build_graph/", ["host_build_graph/passes", "host_build_graph/throws"]),
        ("run pas", ["passes"]),
        ("run -r aicpu_build_graph pas", ["pas"]),  # a folder, perhaps
        ("ci --isolation pro", ["process"]),
        ("do", ["doctor"]),
    ],
)
def test_names_are_completed(tmp_path: Path, words: str, offered: list[str]) -> None:
    scenes = write_scenes(tmp_path, "passes", "throws", **{"with\x1bescape": "passes"})
    assert complete(words, CHIPHOST_SCENES_DIR=str(scenes)) == offered


@pytest.mark.parametrize(
    ("words", "offered", "settings"),
    [
        ("run pas", ["pas"], {"CHIPHOST_SCENES_DIR": "/nonexistent"}),
        ("run pas", ["pas"], {"CHIPHOST_SCENES_DIR": "n" * 300}),
        ("ci -p a2a3", [], {"CHIPHOST_RUNTIME_PATH": "~nobody-at-all"}),
        ("conform -p a5s", [], {"CHIPHOST_LIB_DIR": "~nobody-at-all"}),
        ("run -r host", [RUNTIME], {"CHIPHOST_RUNTIME_PATH": "n" * 300}),
        ("run -r host", [], {"CHIPHOST_LIB_DIR": "n" * 300}),
    ],
)
def test_completion_that_cannot_be_is_quiet(words: str, offered: list[str], settings: dict[str, str]) -> None:
    assert complete(words, **settings) == offered


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_the_documented_line_for_bash_works() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text()
    assert 'eval "$(_CHIPHOST_COMPLETE=bash_source chiphost)"' in page
    source = subprocess.run(
        PROGRAM,
        env={**os.environ, "_CHIPHOST_COMPLETE": "bash_source"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert "complete -o nosort" in source.stdout
    subprocess.run(["bash", "-n"], input=source.stdout, text=True, check=True, timeout=TIMEOUT_S)

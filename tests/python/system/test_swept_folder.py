# SPDX-License-Identifier: Apache-2.0
"""Temporary folders of compiles that were killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import c_libraries
import pytest

from chiphost import compiler
from chiphost._system import swept_folder

COMPILE = """
import sys
from chiphost import compiler
compiler.compile_kernel(compiler.Kernel(0, sys.argv[1], "aiv"), "a2a3sim")
"""


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, with nothing in it that was looked at yet."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(swept_folder, "_swept", set())
    monkeypatch.setenv("CHIPHOST_CACHE_DIR", str(tmp_path / "cache"))
    return folder


def test_a_folder_is_there_as_long_as_it_is_used(parent: Path) -> None:
    with swept_folder.swept_folder() as folder:
        path = Path(folder.path)
        assert path.parent == parent
        assert path.stat().st_mode & 0o777 == 0o700
        (path / "deep/deeper").mkdir(parents=True)
        (path / "deep/file").touch()
        os.mkfifo(path / "deep/pipe")
    assert not list(parent.iterdir())


def test_what_lives_stays_and_what_was_killed_goes(tmp_path: Path, parent: Path) -> None:
    source = tmp_path / "k.cpp"
    source.write_text('extern "C" void kernel_entry(long*) {}\n')
    # The compiler outlives the program that started it: it says so, and waits until the test lets it end.
    script, said, gate = tmp_path / "cxx", tmp_path / "said", tmp_path / "gate"
    for pipe in (said, gate):
        os.mkfifo(pipe)
    ask = f'case "$1" in --version|-dumpmachine) exec {c_libraries.compiler()} "$@";; esac'
    script.write_text(f'#!/bin/sh\n{ask}\necho started > "{said}"\nread -r line < "{gate}"\n')
    script.chmod(0o700)
    environment = {**os.environ, "CXX": str(script), "TMPDIR": str(parent)}
    with subprocess.Popen([sys.executable, "-c", COMPILE, str(source)], env=environment) as program:
        assert said.read_text() == "started\n"
        program.send_signal(signal.SIGKILL)
    [left] = parent.iterdir()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "letter").touch()
    (parent / f"{swept_folder._PREFIX}link").symlink_to(foreign)
    (parent / "other").mkdir()

    with swept_folder.swept_folder():
        assert left.exists()  # its compiler lives
    descriptor = os.open(said, os.O_RDONLY | os.O_NONBLOCK)
    os.close(descriptor)
    with gate.open("w") as line:
        line.write("end\n")
    # The end of the compiler gives the lock back, which nobody is told of.
    while left.exists():
        swept_folder._swept.clear()
        with swept_folder.swept_folder():
            pass
    assert sorted(path.name for path in parent.iterdir()) == [f"{swept_folder._PREFIX}link", "other"]
    assert (foreign / "letter").exists()


def test_a_compile_leaves_nothing(tmp_path: Path, parent: Path) -> None:
    source = tmp_path / "k.cpp"
    source.write_text('extern "C" void kernel_entry(long*) {}\n')
    assert compiler.compile_kernel(compiler.Kernel(0, source, "aiv"), "a2a3sim").data
    assert not list(parent.iterdir())


def test_a_folder_that_is_swept_before_it_is_locked_is_made_again(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    real = tempfile.mkdtemp

    def make(prefix: str, dir: str) -> str:
        made.append(real(prefix=prefix, dir=dir))
        if len(made) == 1:
            Path(made[0]).rmdir()
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", make)
    with swept_folder.swept_folder() as folder:
        assert len(made) == 2
        assert folder.path == made[1]


def test_no_folder_can_be_made_is_an_error(parent: Path) -> None:
    parent.rmdir()
    with pytest.raises(OSError, match="No such file"), swept_folder.swept_folder():
        pass

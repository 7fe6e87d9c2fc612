# SPDX-License-Identifier: Apache-2.0
"""Scenes whose files or Python code do what nobody expects: the program says so, goes on with the others, and ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import c_libraries
import pytest
from throwaway_scenes import RUNTIME, change, warm_cache, write_scenes

from chiphost._compiling import batch as compile_batch
from chiphost._system.deadline import Deadline
from chiphost.scenes import programs as scene_programs
from chiphost.scenes.catalog import select
from chiphost.scenes.results import Settings
from chiphost.scenes.runner import Runner

PROGRAM = [sys.executable, "-m", "chiphost"]
TIMEOUT_S = 120
GOLDEN = 'return {"out": args["x"] + 1}'
both_modes = pytest.mark.parametrize("mode", [[], ["--parallel"]], ids=["serial", "parallel"])


def ci(scenes: Path, *words: str | Path, **options: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [*PROGRAM, "ci", "-p", "a2a3sim", "--scenes", scenes, *words],
        capture_output=True,
        text=True,
        env={**os.environ, **options},
        timeout=TIMEOUT_S,
    )
    return done.returncode, done.stdout, done.stderr


@both_modes
def test_a_compile_that_hangs_is_named_and_the_others_run(tmp_path: Path, mode: list[str]) -> None:
    scenes = write_scenes(tmp_path / "scenes", a_hangs="passes", b_passes="passes", c_passes="passes")
    warm_cache(scenes)
    change(scenes, "a_hangs", "kernel.cpp", "#include <unistd.h>", '#include "fifo.h"')
    os.mkfifo(scenes / RUNTIME / "a_hangs" / "fifo.h")  # nobody writes to it
    code, out, _ = ci(scenes, "-t", "8", "--json", tmp_path / "out.json", *mode)
    assert (code, out.splitlines()[-1]) == (1, "Total: 3  Passed: 2  Failed: 1")
    [hangs, *others] = json.loads((tmp_path / "out.json").read_text())["scenes"]
    assert "kernel 'kernel' (func_id 0, aiv)" in hangs["error"]
    assert "did not finish in timeout_s = " in hangs["error"]
    assert all(scene["passed"] for scene in others)


def test_an_interruption_between_two_compiles_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Ctrl-C may come when a thread of the pool runs already and the pool does not know it yet.
    class Threads(set):
        def add(self, thread: object) -> None:
            ends = time.monotonic() + TIMEOUT_S
            while not started.exists() and time.monotonic() < ends:
                time.sleep(0.01)
            raise KeyboardInterrupt

    class Pool(ThreadPoolExecutor):
        def __init__(self, *words: object, **options: object) -> None:
            super().__init__(*words, **options)
            self._threads = Threads()

    compiler, started, temporary = tmp_path / "g++", tmp_path / "started", tmp_path / "tmp"
    real = c_libraries.compiler()
    compiler.write_text(f'#!/bin/sh\ncase "$*" in *-MD*) touch {started}; sleep 60;; *) exec {real} "$@";; esac\n')
    compiler.chmod(0o700)
    temporary.mkdir()
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("CHIPHOST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(compile_batch, "ThreadPoolExecutor", Pool)
    entries = select(write_scenes(tmp_path / "scenes", "passes"), platform="a2a3sim")
    programs = scene_programs.ScenePrograms(entries, "a2a3sim", Deadline(), lambda done, total, name: None)
    with pytest.raises(KeyboardInterrupt), programs:
        programs.start()
    assert started.exists()
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("parallel", [False, True])
def test_at_the_deadline_the_file_that_is_compiled_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parallel: bool
) -> None:
    scenes = write_scenes(tmp_path / "scenes", "passes")
    change(scenes, "passes", "kernel.cpp", "#include <unistd.h>", '#include "fifo.h"')
    os.mkfifo(scenes / RUNTIME / "passes" / "fifo.h")
    monkeypatch.setattr(scene_programs, "_SHARE", 2.0)  # the compile may take longer than all
    entries = select(scenes, platform="a2a3sim")
    [result] = Runner(Settings("a2a3sim", deadline=Deadline(5))).run(entries, parallel=parallel)
    assert result.error == "stopped: the deadline of 5 s was over while compiling kernel 'kernel' (func_id 0, aiv)"


def test_a_thread_that_a_scene_leaves_does_not_keep_the_program(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "passes")
    thread = "import threading, time\n    threading.Thread(target=time.sleep, args=(3600,)).start()"
    change(scenes, "passes", "scene.py", GOLDEN, f"{thread}\n    {GOLDEN}")
    code, out, err = ci(scenes)
    assert (code, out.splitlines()[-1], err) == (0, "Total: 1  Passed: 1  Failed: 0", "")


def test_a_process_that_does_not_end_after_its_verdict_is_killed(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "passes")
    hang = "import atexit, time\natexit.register(time.sleep, 3600)\n"
    change(scenes, "passes", "scene.py", "scene = Scene(", f"{hang}scene = Scene(")
    code, out, err = ci(scenes)
    assert (code, out.splitlines()[-1], err) == (0, "Total: 1  Passed: 1  Failed: 0", "")


@pytest.mark.parametrize("end", ["raise SystemExit(0)", "raise ValueError", "pass"])
@both_modes
def test_a_child_that_a_scene_forks_does_not_go_on(tmp_path: Path, mode: list[str], end: str) -> None:
    scenes = write_scenes(tmp_path / "scenes", "passes", z_passes="passes")
    change(scenes, "passes", "scene.py", GOLDEN, f"import os\n    if os.fork() == 0:\n        {end}\n    {GOLDEN}")
    code, out, err = ci(scenes, *mode, PYTHONWARNINGS="ignore")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["PASS", "PASS", "Time:", "Total:"]


def test_a_terminal_gets_no_escapes_of_a_scene(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "passes")
    change(scenes, "passes", "scene.py", GOLDEN, r"raise ValueError('\x1b[31mred\x00\x9b2J\r\ttab\nnext \udcff')")
    code, out, _ = ci(scenes)
    assert code == 1
    assert r"ValueError: \x1b[31mred\x00\x9b2J\x0d" in out
    assert not set(out) & {"\x1b", "\x00", "\x9b", "\r"}


def test_ctrl_c_while_compiling_names_the_file(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / "scenes", "passes")
    compiler, started = tmp_path / "g++", tmp_path / "started"
    real = c_libraries.compiler()
    compiler.write_text(f'#!/bin/sh\ncase "$*" in *-MD*) : > {started}; exec sleep 600;; *) exec {real} "$@";; esac\n')
    compiler.chmod(0o700)
    settings = {"CXX": str(compiler), "CHIPHOST_CACHE_DIR": str(tmp_path / "cache")}
    with subprocess.Popen(
        [*PROGRAM, "run", "passes", "--scenes", scenes],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings},
    ) as process:
        while not started.exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    [line] = err.splitlines()
    assert line.startswith(f"chiphost: interrupted in {RUNTIME}/passes while compiling orchestration 'orchestration'")
    assert line.endswith("; 0 of 1 case had ended")

# SPDX-License-Identifier: Apache-2.0
"""Running compilers: their output and ends, and that none is left. A shell stands for the compiler."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processes import is_alive, wait_for

import chiphost as ch
from chiphost._compiling import processes
from chiphost._compiling.processes import Cancelled, CompilerProcesses
from chiphost._system.swept_folder import SweptFolder, swept_folder

ENOUGH_S = 300


@pytest.fixture
def temporary() -> Iterator[SweptFolder]:
    with swept_folder() as folder:
        yield folder


@pytest.fixture(params=["known", "lost"])
def running(request: pytest.FixtureRequest) -> Iterator[CompilerProcesses]:
    """Once as usual, once in a program that ignores SIGCHLD, where the system forgets how its children ended."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL if request.param == "known" else signal.SIG_IGN)
    try:
        yield CompilerProcesses(ENOUGH_S)
    finally:
        signal.signal(signal.SIGCHLD, before)


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


@pytest.mark.parametrize(
    ("script", "problem", "words"),
    [
        ("echo out; echo err >&2", "", "out\nerr"),
        ("echo '  no such name '; exit 3", "ended with exit code 3", "no such name"),
        ("printf 'caf\\351'", "", "caf\ufffd"),
    ],
)
def test_the_end_and_the_output_are_told(
    running: CompilerProcesses, temporary: SweptFolder, tmp_path: Path, script: str, problem: str, words: str
) -> None:
    told = running.run(shell(script), tmp_path, temporary)
    assert told == (problem, words)


def test_the_signal_that_ended_it_is_told(running: CompilerProcesses, temporary: SweptFolder, tmp_path: Path) -> None:
    problem, _ = running.run(shell("kill -9 $$"), tmp_path, temporary)
    assert problem == "was ended by signal 9"


def test_a_compiler_runs_in_the_folder_with_variables_of_its_own(
    running: CompilerProcesses, temporary: SweptFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPENDENCIES_OUTPUT", str(tmp_path / "elsewhere"))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    script = 'pwd; echo "$TMPDIR"; echo "$SOURCE_DATE_EPOCH"; echo "[$DEPENDENCIES_OUTPUT]"'
    _, words = running.run(shell(script), tmp_path, temporary)
    assert words.splitlines() == [str(tmp_path), temporary.path, "0", "[]"]


def test_one_that_takes_too_long_is_killed_with_its_children(temporary: SweptFolder, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # nobody writes to it
    script = f'(read -r line <"{pipe}") & echo $!; read -r line <"{pipe}"'
    problem, words = CompilerProcesses(0.5).run(shell(script), tmp_path, temporary)
    assert problem == "did not finish in timeout_s = 0.5 s and was killed"
    wait_for(lambda: not words or not is_alive(int(words)))


def test_one_that_cannot_be_started_is_an_error(temporary: SweptFolder, tmp_path: Path) -> None:
    with pytest.raises(ch.CompileError, match="no-compiler could not be started") as caught:
        CompilerProcesses(ENOUGH_S).run([str(tmp_path / "no-compiler")], tmp_path, temporary)
    assert caught.value.name == "COMPILER_MISSING"


def test_cancel_ends_what_runs_and_lets_nothing_begin(temporary: SweptFolder, tmp_path: Path) -> None:
    running, ends = CompilerProcesses(ENOUGH_S), []
    started, never = tmp_path / "started", tmp_path / "never"
    os.mkfifo(never)

    def compile_one() -> None:
        try:
            with running.job():
                running.run(shell(f'echo $$ >"{started}"; read -r line <"{never}"'), tmp_path, temporary)
        except Cancelled:
            ends.append("cancelled")

    thread = threading.Thread(target=compile_one)
    thread.start()
    wait_for(lambda: started.exists() and started.read_text().endswith("\n"))
    running.cancel()
    assert not running._jobs  # it has waited for the job
    thread.join()
    assert ends == ["cancelled"]
    assert not is_alive(int(started.read_text()))
    with pytest.raises(Cancelled), running.job():
        pytest.fail("a job began")
    with pytest.raises(Cancelled):
        running.run(shell("exit 0"), tmp_path, temporary)


@given(st.lists(st.integers(0, 40_000)))
def test_the_beginning_and_the_end_of_an_output_are_kept(lengths: list[int]) -> None:
    output, whole = processes._Output(), b""
    for index, length in enumerate(lengths):
        block = bytes([ord("a") + index % 26]) * length
        output.add(block)
        whole += block
    most = processes._OUTPUT_BYTES_MAX
    if len(whole) <= 2 * most:
        assert output.text() == whole.decode()
    else:
        gap = f"\n[... {len(whole) - 2 * most} bytes left out ...]\n"
        assert output.text() == whole[:most].decode() + gap + whole[-most:].decode()

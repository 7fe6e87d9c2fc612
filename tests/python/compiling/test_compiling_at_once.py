# SPDX-License-Identifier: Apache-2.0
"""Compilers that run at the same time: they overlap, and all end with the first error, interrupt or deadline."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kernel_sources import KERNEL, failure_of, jobs_for, use_script, write

from chiphost import compiler
from chiphost._compiling import batch as compile_batch
from chiphost._compiling.cache import CompileCache

pytestmark = pytest.mark.usefixtures("cache")


def test_compiles_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each compile waits for the other to have started: one after the other they would never end.
    for name in "ab":
        os.mkfifo(tmp_path / name)
    one, two = f'"{tmp_path}/a"', f'"{tmp_path}/b"'
    body = f"""
case "$*" in
  *one.cpp*) echo > {one}; cat {two};;
  *two.cpp*) cat {one}; echo > {two};;
esac
exec $real "$@"
"""
    use_script(tmp_path / "cxx", body, monkeypatch)
    # Touch nothing afterwards: a compile that has to be repeated would wait alone.
    monkeypatch.setattr(compile_batch, "_ATTEMPTS", 1)
    sources = [write(tmp_path / name, f"int n{i};") for i, name in enumerate(("one.cpp", "two.cpp"))]
    assert len(compiler.compile_all(jobs_for(*sources), max_workers=2, timeout_s=60)) == 2


class Liveness:
    """A FIFO that processes hold open while they live."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self.handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def read(self, parent: subprocess.Popen[str] | None = None) -> bytes:
        """The text that the processes write; empty when all have ended. The parent must live until they start."""
        poll = select.poll()
        poll.register(self.handle, select.POLLIN)
        while not poll.poll(100):
            assert parent is None or parent.poll() is None, "ended before it started a compiler"
        return os.read(self.handle, 1024)

    def close(self) -> None:
        os.close(self.handle)


@pytest.fixture
def liveness(tmp_path: Path) -> Any:
    liveness = Liveness(tmp_path / "liveness")
    yield liveness
    liveness.close()


def use_hanging_compiler(
    liveness: Liveness, folder: Path, monkeypatch: pytest.MonkeyPatch, except_for: str = "nothing"
) -> None:
    # A compiler with a child, like g++. The limit is for the case that nobody kills it.
    body = f"""
case "$*" in *{except_for}*) exec $real "$@";; esac
exec 9> "{liveness.path}"
echo started >&9
(sleep 60; echo survived >&9) &
wait
"""
    use_script(folder / "cxx", body, monkeypatch)


def test_a_compile_that_takes_too_long_is_killed(
    tmp_path: Path, liveness: Liveness, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_hanging_compiler(liveness, tmp_path, monkeypatch)
    jobs = jobs_for(write(tmp_path / "k.cpp", KERNEL))
    error = failure_of(lambda: compiler.compile_all(jobs, timeout_s=0.5))
    assert error.name == "COMPILE_FAILED"
    assert "did not finish in timeout_s = 0.5 s and was killed" in error.message
    os.close(os.open(liveness.path, os.O_WRONLY))  # shows the end even if the script had no time to start
    assert b"survived" not in b"".join(iter(liveness.read, b""))


@pytest.mark.parametrize("ends_a_wait", [True, False])
def test_an_interrupt_kills_the_compilers(
    tmp_path: Path, liveness: Liveness, monkeypatch: pytest.MonkeyPatch, ends_a_wait: bool
) -> None:
    use_hanging_compiler(liveness, tmp_path, monkeypatch)
    sources = [write(tmp_path / f"k{i}.cpp", KERNEL) for i in range(4)]
    code = """
import signal, sys, threading
from chiphost import compiler
signal.signal(signal.SIGINT, signal.default_int_handler)
def interrupt_when_told():
    sys.stdin.read()
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)  # as if it came just before the first thread's wait
threading.Thread(target=interrupt_when_told, daemon=True).start()
jobs = [compiler.kernel_job(compiler.Kernel(i, source, "aiv"), "a2a3sim") for i, source in enumerate(sys.argv[1:])]
try:
    compiler.compile_all(jobs, max_workers=2)
except KeyboardInterrupt:
    print("interrupted")
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, *map(str, sources)]
    parent = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    said = b""
    while said.count(b"started") < 2:
        said += liveness.read(parent)
    if ends_a_wait:
        parent.send_signal(signal.SIGINT)
        assert parent.wait() == 0
    output, _ = parent.communicate()  # closes its input
    assert output == "interrupted\n"
    said += b"".join(iter(liveness.read, b""))
    assert said == b"started\nstarted\n"


def test_an_error_in_progress_stops_the_rest(
    tmp_path: Path, cache: CompileCache, liveness: Liveness, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_hanging_compiler(liveness, tmp_path, monkeypatch, except_for="k2.cpp")
    sources = [write(tmp_path / f"k{i}.cpp", f"int n{i};") for i in range(5)]

    def give_up(done: int, total: int, name: str) -> None:
        raise LookupError(f"{done} of {total}: {name}")

    with pytest.raises(LookupError, match="1 of 5: k2"):
        compiler.compile_all(jobs_for(*sources), max_workers=5, progress=give_up)
    assert cache.stats().programs == 1
    os.close(os.open(liveness.path, os.O_WRONLY))  # shows the end even if no script had time to start
    assert b"survived" not in b"".join(iter(liveness.read, b""))


def test_many_of_the_same_are_compiled_well(tmp_path: Path) -> None:
    source = write(tmp_path / "k.cpp", KERNEL)
    jobs = jobs_for(*[source] * 8)
    binaries = compiler.compile_all(jobs, max_workers=8)
    assert len({binary.key for binary in binaries}) == 1
    assert [binary.key for binary in compiler.compile_all(jobs)] == [binary.key for binary in binaries]

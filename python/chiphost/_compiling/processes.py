# SPDX-License-Identifier: Apache-2.0
"""The running compilers: processes that end, with all their children, when they are no longer wanted."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .._system.swept_folder import SweptFolder
from ..errors import make_error

_OUTPUT_BYTES_MAX: Final = 32 << 10  # kept of the beginning of a compiler's output, and as much again of its end
# Variables that make compilers write files elsewhere.
_UNWANTED_VARIABLES: Final = ("DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES")
# The statuses of a shell's children are kept, whatever becomes of those of this process's children. $0 is the file for
# them.
_TELLING: Final = ("/bin/sh", "-c", '"$@"; echo $? >"$0"')
_SIGNALLED: Final = 128  # a shell adds the number of the signal to this
_UNKNOWN: Final = 1 << 20  # stands for an exit code; no process has it
_LOST: Final = "ended, and nobody knows how: this program ignores SIGCHLD, or something in it waits for all children"


class Cancelled(Exception):
    """Ends a worker's job after `cancel`; nobody waits for its result any more."""


class CompilerProcesses:
    """Runs compilers, several at a time, each at most `timeout_s`. All methods may be called from any thread."""

    def __init__(self, timeout_s: float) -> None:
        """Start nothing yet."""
        self.cancelled: Final = threading.Event()
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._children: set[subprocess.Popen[bytes]] = set()  # guarded by _lock
        self._jobs = 0  # under way; guarded by _lock
        self._job_ended = threading.Condition(self._lock)
        # True if the statuses of ended compilers are lost: the program ignores SIGCHLD, or code in it waits for all
        # children.
        self._statuses_are_lost = signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN

    @contextlib.contextmanager
    def job(self) -> Iterator[None]:
        """The body is everything that is done for one compile; raises Cancelled instead of beginning it."""
        with self._lock:
            if self.cancelled.is_set():
                raise Cancelled
            self._jobs += 1
        try:
            yield
        finally:
            with self._lock:
                self._jobs -= 1
                self._job_ended.notify_all()

    def cancel(self) -> None:
        """Kill all compilers, start no others, and wait until no job is under way.

        A pool's own shutdown does not wait for all of its threads: it does not know a thread if Ctrl-C came just after
        its start.
        """
        with self._lock:
            self.cancelled.set()
            for child in self._children:
                _kill(child)
            self._job_ended.wait_for(lambda: self._jobs == 0)

    def run(self, command: list[str], folder: Path, temporary: SweptFolder) -> tuple[str, str]:
        """Run a compiler in a folder; return what went wrong, if anything, and the compiler's output.

        The compiler's temporary files are in `temporary`.

        Raises Cancelled, and CompileError (COMPILER_MISSING) if it cannot be started.
        """
        environment = {"SOURCE_DATE_EPOCH": "0", **os.environ, "TMPDIR": temporary.path}  # __DATE__ is always the same
        for name in _UNWANTED_VARIABLES:
            environment.pop(name, None)
        if self._statuses_are_lost:
            return self._run_telling(command, folder, environment, temporary)
        in_time, code, words = self._run(command, folder, environment, temporary)
        if in_time and code is None:
            self._statuses_are_lost = True
            return self._run_telling(command, folder, environment, temporary)
        return self._problem(in_time, code), words

    def _run_telling(
        self, command: list[str], folder: Path, environment: dict[str, str], temporary: SweptFolder
    ) -> tuple[str, str]:
        file = Path(temporary.path, "status")
        in_time, _, words = self._run([*_TELLING, str(file), *command], folder, environment, temporary)
        return self._problem(in_time, _told(file)), words

    def _run(
        self, command: list[str], folder: Path, environment: dict[str, str], temporary: SweptFolder
    ) -> tuple[bool, int | None, str]:
        """Three answers: True if it ended in time; its exit code, minus its signal, or None if unknown; its output."""
        output = _Output()
        with self._started(command, folder, environment, temporary) as child:
            in_time, code = _drain(child, output, time.monotonic() + self._timeout_s)
        if self.cancelled.is_set():
            raise Cancelled
        return in_time, code, output.text()

    def _problem(self, in_time: bool, code: int | None) -> str:
        if not in_time:
            return f"did not finish in timeout_s = {self._timeout_s:g} s and was killed"
        if code is None:
            return _LOST
        if code < 0:
            return f"was ended by signal {-code}"
        return f"ended with exit code {code}" if code else ""

    @contextlib.contextmanager
    def _started(
        self, command: list[str], folder: Path, environment: dict[str, str], temporary: SweptFolder
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Start a compiler in a process group of its own, which is gone at the end."""
        with self._lock:
            if self.cancelled.is_set():
                raise Cancelled
            try:
                child = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=(temporary.lock,),  # it may outlive this process
                )
            except OSError as error:
                raise make_error("COMPILER_MISSING", f"{command[0]} could not be started: {error}") from error
            self._children.add(child)
        try:
            with child:
                try:
                    yield child
                finally:
                    if child.returncode is None:
                        _kill(child)
        finally:
            with self._lock:
                self._children.discard(child)


class _Output:
    """The beginning and the end of a text that may be enormous."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def add(self, block: bytes) -> None:
        room = _OUTPUT_BYTES_MAX - len(self._head)
        self._head += block[:room]
        self._tail += block[room:]
        excess = len(self._tail) - _OUTPUT_BYTES_MAX
        if excess > 0:
            self._left_out += excess
            del self._tail[:excess]

    def text(self) -> str:
        gap = f"\n[... {self._left_out} bytes left out ...]\n".encode() if self._left_out else b""
        return bytes(self._head + gap + self._tail).decode(errors="replace").strip()


def _drain(child: subprocess.Popen[bytes], output: _Output, deadline: float) -> tuple[bool, int | None]:
    """Read the child's output until it ends. Returns True if it ended in time, and its exit code if it is known."""
    assert child.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while (left_s := deadline - time.monotonic()) > 0:
            if not selector.select(min(left_s, 0.1)):
                if _has_ended(child):
                    break  # a server that it started (sccache) keeps the pipe
            elif block := os.read(child.stdout.fileno(), 1 << 16):
                output.add(block)
            else:
                break
    pause_s = 0.0005
    while not (ended := _has_ended(child)) and (left_s := deadline - time.monotonic()) > 0:
        time.sleep(min(pause_s, left_s))
        pause_s = min(2 * pause_s, 0.05)
    return ended, None if child.returncode == _UNKNOWN else child.returncode


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """True if the child has ended; its return code is _UNKNOWN if its status went elsewhere, where Popen says 0."""
    if child.returncode is None:
        try:
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            child.returncode = _UNKNOWN
        else:
            child.poll()
    return child.returncode is not None


def _told(file: Path) -> int | None:
    """The exit code that a shell has written, or minus the signal that it stands for; None if there is none."""
    try:
        code = int(file.read_text())
    except (OSError, ValueError):
        return None
    return _SIGNALLED - code if code > _SIGNALLED else code


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)

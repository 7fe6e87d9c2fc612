# SPDX-License-Identifier: Apache-2.0
"""The compilers that run: processes that are gone, with all they started, when they are no longer wanted."""

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

from .errors import make_error

_OUTPUT_BYTES_MAX: Final = 32 << 10  # at the beginning of a compiler's output, and as much again at its end
# Variables that make compilers write files elsewhere.
_UNWANTED_VARIABLES: Final = ("DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES")


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

    @contextlib.contextmanager
    def job(self) -> Iterator[None]:
        """For all that is done for one compile; raises Cancelled instead of beginning."""
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

        A pool's own shutdown does not wait for all of its threads: of one that Ctrl-C came after the start of, it knows
        nothing.
        """
        with self._lock:
            self.cancelled.set()
            for child in self._children:
                _kill(child)
            self._job_ended.wait_for(lambda: self._jobs == 0)

    def run(self, command: list[str], folder: Path, temporary: str) -> tuple[str, str]:
        """Run a compiler in a folder; return what went wrong, if anything, and what it said.

        Raises Cancelled, and CompileError (COMPILER_MISSING) if it cannot be started.
        """
        environment = {"SOURCE_DATE_EPOCH": "0", **os.environ, "TMPDIR": temporary}  # __DATE__ is always the same
        for name in _UNWANTED_VARIABLES:
            environment.pop(name, None)
        output = _Output()
        with self._started(command, folder, environment) as child:
            in_time = _drain(child, output, time.monotonic() + self._timeout_s)
        if self.cancelled.is_set():
            raise Cancelled
        if not in_time:
            return f"did not finish in timeout_s = {self._timeout_s:g} s and was killed", output.text()
        if child.returncode < 0:
            return f"was ended by signal {-child.returncode}", output.text()
        return f"ended with exit code {child.returncode}" if child.returncode else "", output.text()

    @contextlib.contextmanager
    def _started(
        self, command: list[str], folder: Path, environment: dict[str, str]
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A compiler in a process group of its own, which is gone at the end."""
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


def _drain(child: subprocess.Popen[bytes], output: _Output, deadline: float) -> bool:
    """Read what the child says until it ends; False if it has not ended by then."""
    assert child.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while (left_s := deadline - time.monotonic()) > 0:
            if not selector.select(min(left_s, 0.1)):
                if child.poll() is not None:
                    return True  # a server that it started (sccache) keeps the pipe
            elif block := os.read(child.stdout.fileno(), 1 << 16):
                output.add(block)
            else:
                break
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(max(0.0, deadline - time.monotonic()))
    return child.returncode is not None


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)

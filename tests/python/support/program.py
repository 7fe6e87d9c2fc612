# SPDX-License-Identifier: Apache-2.0
"""The program `chiphost` in a process of its own, for tests: in pipes and in a pseudo-terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

# A shell that takes the words $'\x1b' and >(command) as they are meant.
SHELL = next(filter(None, map(shutil.which, ("bash", "zsh", "ksh"))), "")
needs_shell = pytest.mark.skipif(not SHELL, reason="there is no bash, zsh or ksh")
both_modes = pytest.mark.parametrize("mode", [[], ["--parallel"]], ids=["serial", "parallel"])
PROGRAM = [sys.executable, "-m", "chiphost"]
TIMEOUT_S = 120


def start(*words: str | Path, directory: Path | None = None, **options: str) -> subprocess.Popen[str]:
    """The program in a process of its own. `options` are environment variables."""
    return subprocess.Popen(
        [*PROGRAM, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=directory,
        env={**os.environ, **options},
    )


def finish(*words: str | Path, directory: Path | None = None, **options: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the program in a process of its own."""
    with start(*words, directory=directory, **options) as process:
        out, err = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, out, err


def in_terminal(
    words: Sequence[str | Path], *, columns: int = 0, interrupt_at: str = "", **options: str
) -> tuple[int, str]:
    """Exit code and output of the program in a pseudo-terminal.

    Args:
        words: of the command.
        columns: width of the terminal; 0: it does not say.
        interrupt_at: when this is shown, Ctrl-C is typed, once. Names alone are shown by the progress bar, too.
        **options: environment variables.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
    removed = ("NO_COLOR", "COLUMNS", "LINES")
    environment = {name: value for name, value in os.environ.items() if name not in removed}
    process = subprocess.Popen(
        [*PROGRAM, *map(str, words)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "TERM": "xterm", **options},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    output = b""
    kill = threading.Timer(TIMEOUT_S, process.kill)
    kill.start()
    with contextlib.suppress(OSError):  # how a pseudo-terminal ends
        while block := os.read(ours, 1 << 16):
            output += block
            if interrupt_at and interrupt_at.encode() in output:
                os.write(ours, b"\x03")
                interrupt_at = ""
    kill.cancel()
    os.close(ours)
    return process.wait(timeout=TIMEOUT_S), output.decode()


def interrupt(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Send SIGINT; return the exit code and the output after that."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, out, err

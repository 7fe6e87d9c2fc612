# SPDX-License-Identifier: Apache-2.0
"""The tests' own session does not depend on settings of the shell, script or service that starts them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SHOW = """
import signal, subprocess
import conftest
conftest.pytest_configure()
print([int(number) for number in signal.valid_signals() if signal.getsignal(number) == signal.SIG_IGN])
print(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
print(subprocess.call(["sh", "-c", "kill -INT $$; exit 3"]))
"""
PYTHONS_OWN = {signal.SIGPIPE, signal.SIGXFSZ}


def test_signals_are_those_of_a_terminal_whatever_was_inherited() -> None:
    hostile = "import os, signal, sys\n"
    hostile += "for number in (signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE, signal.SIGALRM):\n"
    hostile += "    signal.signal(number, signal.SIG_IGN)\n"
    hostile += "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
    hostile += "os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])"
    command = [sys.executable, "-c", hostile, SHOW]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    ignored, blocked, child = done.stdout.splitlines()
    assert (ignored, blocked) == (str([int(number) for number in sorted(PYTHONS_OWN)]), "set()")
    assert int(child) == -signal.SIGINT


def test_every_test_has_a_limit(request: pytest.FixtureRequest) -> None:
    assert float(request.config.getini("timeout")) > 0
    assert request.config.getini("timeout_method") == "thread"  # the only one that ends what hangs in C++

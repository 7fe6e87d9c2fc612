# SPDX-License-Identifier: Apache-2.0
"""Fixtures and settings of all tests: a compile cache of their own, and the scenes.

A process can open few linker namespaces. Tests use the installed runtimes, which are loaded once.

pytest-xdist runs files in several processes at once. These share the compile cache; each has a folder of its own for
temporary files, since some tests look at what is left in it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import chiphost as ch

# No test measures time: other processes may slow down any of them.
settings.register_profile("untimed", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# These stay as they were: tests in the background of a terminal must not be stopped when they write to it.
_OF_THE_TERMINAL = {signal.SIGTTIN, signal.SIGTTOU}
# Python ignores these itself, and gives them back to the processes it starts.
_OF_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}


def pytest_configure() -> None:
    """Set signals as in a terminal, for the tests and for the programs that they start.

    A background job of a script ignores SIGINT, nohup SIGHUP, some services SIGCHLD; others block signals.
    """
    for number in signal.valid_signals() - _OF_THE_TERMINAL - _OF_PYTHON:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The compile cache of this session; a test may choose another with monkeypatch."""
    folder = tmp_path_factory.getbasetemp()
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        if "PYTEST_XDIST_WORKER" in os.environ:
            folder = folder.parent
            temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="chiphost-tests-"))
            Path(temporary).chmod(0o1777)  # as /tmp is: some tests are other users
            patch.setenv("TMPDIR", temporary)
            patch.setattr(tempfile, "tempdir", None)
        patch.setenv("CHIPHOST_CACHE_DIR", str(folder / "cache"))
        patch.delenv("CHIPHOST_DOCS_URL", raising=False)  # texts of errors would be longer
        yield folder / "cache"


@pytest.fixture(scope="session")
def scenes_root() -> Path:
    """The folder of chiphost's own scenes."""
    return Path(__file__).resolve().parents[1] / "scenes"


@pytest.fixture(scope="session")
def other(session_cache: Path) -> Iterator[ch.ChipWorker]:
    """A worker that must not notice what goes wrong on others."""
    with ch.ChipWorker("host_build_graph", "a2a3sim") as made:
        yield made

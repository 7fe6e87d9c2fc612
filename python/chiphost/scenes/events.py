# SPDX-License-Identifier: Apache-2.0
"""The messages from the process that runs scenes to the one that watches it. The program `chiphost` has both."""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
from collections.abc import Iterator
from typing import Any, Final

_LENGTH_BYTES: Final = 4  # before each message, which is pickled


class _Pipe:
    """The end of the pipe in the working process."""

    descriptor: int | None = None
    lock: Final = threading.Lock()


def tell_through(descriptor: int) -> None:
    """Let `tell` write to this pipe, whose other end the watching process has."""
    _Pipe.descriptor = descriptor


def tell(*message: Any) -> None:
    """Tell the watching process, if there is one. For any thread.

    Messages:
        ("planned", results): a SceneResult for each scene, as if none had been started.
        ("loading", scene): its description is read; None: that is done.
        ("running", scene, case): from now on; None: no case yet.
        ("seed", scene, case, seed): with which Seed it runs from now on, if there are several.
        ("case", scene, result), ("scene", result): the end of one.
        ("reports", JSON file, JUnit file, platform, seed, options): where reports are wanted, and the options of a
            command that runs a scene again.
        ("verdict", code): this process ends with that exit code.
    """
    if _Pipe.descriptor is None:
        return
    data = pickle.dumps(message)
    data = len(data).to_bytes(_LENGTH_BYTES, "little") + data
    with _Pipe.lock, contextlib.suppress(OSError):
        while data:
            data = data[os.write(_Pipe.descriptor, data) :]


def take_messages(told: bytearray) -> Iterator[tuple[Any, ...]]:
    """Take all whole messages out of the bytes that came through the pipe."""
    while len(told) >= _LENGTH_BYTES:
        end = _LENGTH_BYTES + int.from_bytes(told[:_LENGTH_BYTES], "little")
        if end > len(told):
            return
        yield pickle.loads(told[_LENGTH_BYTES:end])
        del told[:end]


@contextlib.contextmanager
def one_process() -> Iterator[None]:
    """Run code of a scene: if it forks, the child ends with the body. Only one process may go on from here."""
    process = os.getpid()
    code: object = None
    try:
        yield
    except BaseException as error:
        if os.getpid() == process:
            raise
        code = error.code if isinstance(error, SystemExit) else 1
    if os.getpid() != process:
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)

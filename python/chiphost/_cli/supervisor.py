# SPDX-License-Identifier: Apache-2.0
"""Two processes for a command that runs scenes: one does all the work, the other watches it.

Kernels of a simulated chip run in the process that simulates it. They can crash it, and end it with any exit code. So
the working process tells the watching one what it does, and at its end that there is a verdict. If it ends without a
verdict, the watching process says what was running and writes the reports.

The watching process is forked off before anything heavy is imported. The working one imports what it needs.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import math
import os
import select
import signal
import sys
import time
from types import FrameType
from typing import Any, Final

from ..scenes import events

NO_VERDICT: Final = 3  # exit code of a command whose working process ended without one

_PASSED_ON: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_FIRST_DESCRIPTOR: Final = 10  # a lower number may belong to a standard stream that is closed
_PR_SET_PDEATHSIG: Final = 1
_ENDING_S_MAX: Final = 5.0  # for the working process to end after its verdict


class _Supervision:
    allowed = False  # only the program itself may fork, not a caller of its functions


def allow() -> None:
    """Let `begin` make a process. The program `chiphost` calls this."""
    _Supervision.allowed = True


def allowed() -> bool:
    """True if this process is the program `chiphost`, which may fork and start itself anew."""
    return _Supervision.allowed


def begin() -> None:
    """Go on in a new process; in this one watch it, and end with SystemExit.

    Under a debugger there is one process only: its breakpoints are meant for the one that works.
    """
    if not _Supervision.allowed or _traced():
        return
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    ours, theirs = _pipe()
    watcher = os.getpid()
    held = signal.pthread_sigmask(signal.SIG_BLOCK, (*_PASSED_ON, signal.SIGTSTP))
    child = os.fork()
    if child == 0:
        os.close(ours)
        os.setpgid(0, 0)  # the watcher passes Ctrl-C on, and only once
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # lets this process write to the terminal all the same
        _end_with(watcher)
        events.tell_through(theirs)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        return
    os.close(theirs)
    with contextlib.suppress(OSError):  # the child was faster
        os.setpgid(child, child)
    _pass_signals_on(child)
    signal.pthread_sigmask(signal.SIG_SETMASK, held)
    code, messages = _watch(child, ours)
    if code >= 0 and messages and messages[-1][0] == "verdict":
        raise SystemExit(code)
    from .story import Story  # only now: the watching process needs next to nothing as long as all is well

    Story(messages).finish(code)
    raise SystemExit(NO_VERDICT)


def _traced() -> bool:
    """True if a debugger, or another tracer, has this process."""
    try:
        with open("/proc/self/status", "rb") as status:  # noqa: PTH123 - pathlib is not imported yet
            return any(line.startswith(b"TracerPid:") and line.split()[1] != b"0" for line in status)
    except OSError:
        return False


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    try:
        ours, theirs = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _FIRST_DESCRIPTOR) for end in ends)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE)) from error  # the limit is below the first
    finally:
        for end in ends:
            os.close(end)
    return ours, theirs


def _end_with(watcher: int) -> None:
    """Let the kernel kill this process when the watching one is killed."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != watcher:
        os._exit(NO_VERDICT)


def _pass_signals_on(child: int) -> None:
    def pass_on(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    def stop(number: int, frame: FrameType | None) -> None:
        os.kill(child, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        os.kill(child, signal.SIGCONT)

    for number in _PASSED_ON:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, pass_on)
    if signal.getsignal(signal.SIGTSTP) != signal.SIG_IGN:
        signal.signal(signal.SIGTSTP, stop)


def _watch(child: int, pipe: int) -> tuple[int, list[tuple[Any, ...]]]:
    """Wait for the child; return its exit code, or minus its signal, and the messages it sent.

    After its verdict the child has a few seconds to end. If it does not, it is killed, and the verdict stands.
    """
    woken, wake = _pipe()
    for end in (pipe, woken, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    told = bytearray()
    messages: list[tuple[Any, ...]] = []
    killed_at = math.inf
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        _read_all(woken)
        told += _read_all(pipe)
        messages += events.take_messages(told)
        verdict: int | None = messages[-1][1] if messages and messages[-1][0] == "verdict" else None
        if ended:
            code = os.waitstatus_to_exitcode(status)
            was_killed = code == -signal.SIGKILL and time.monotonic() >= killed_at
            return (verdict if was_killed and verdict is not None else code), messages
        if verdict is not None:
            killed_at = min(killed_at, time.monotonic() + _ENDING_S_MAX)
            if time.monotonic() >= killed_at:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
        select.select([pipe, woken], [], [], 1.0)


def _read_all(pipe: int) -> bytes:
    blocks = []
    with contextlib.suppress(BlockingIOError):
        while block := os.read(pipe, 1 << 16):
            blocks.append(block)
    return b"".join(blocks)

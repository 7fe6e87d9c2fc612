# SPDX-License-Identifier: Apache-2.0
"""Two processes for a command that runs scenes: one does all the work, the other watches it.

Kernels of a simulated chip run in the process that simulates it. They can crash it, and end it with any exit code. So
the working process tells the watching one what it does, and at its end that there is a verdict. If it ends without, the
watching process says what was running and writes the reports.

Nothing here is imported but what every command needs anyway.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import math
import os
import pickle
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import click

from .._text.printable import one_line
from .terminal import advise, complain, in_terminal

if TYPE_CHECKING:
    from ..scenes.run import CaseResult, SceneResult

EXIT_CODE: Final = 3  # of a command whose working process ended without a verdict

_PASSED_ON: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_LENGTH_BYTES: Final = 4
_FIRST_DESCRIPTOR: Final = 10  # the lower ones may be those of a standard stream that is closed
_PR_SET_PDEATHSIG: Final = 1
_ENDING_S_MAX: Final = 5.0  # how long the working process may take to end after its verdict


class _Supervision:
    """The working process's end of the pipe."""

    allowed = False  # only the program itself may fork, not who calls its functions
    pipe: int | None = None
    lock: Final = threading.Lock()


def allow() -> None:
    """Let `begin` make a process. The program `chiphost` calls this."""
    _Supervision.allowed = True


def allowed() -> bool:
    """Whether this process is the program `chiphost`, which may fork and start itself anew."""
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
        os.setpgid(0, 0)  # Ctrl-C comes from the watcher, and only once
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # may write to the terminal all the same
        _end_with(watcher)
        _Supervision.pipe = theirs
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
    raise SystemExit(_Story(messages).finish(code))


def tell(*message: Any) -> None:
    """Tell the watching process, if there is one. For any thread.

    Messages:
        ("planned", results): a SceneResult for each scene, as if none had been started.
        ("loading", scene): its description is read; None: that is done.
        ("running", scene, case): from now on; None: no case yet.
        ("case", scene, result), ("scene", result): the end of one.
        ("reports", JSON file, JUnit file, platform, seed, options): where reports are wanted, and the options of a
            command that runs a scene again.
        ("verdict", code): this process ends with that exit code.
    """
    if _Supervision.pipe is None:
        return
    data = pickle.dumps(message)
    data = len(data).to_bytes(_LENGTH_BYTES, "little") + data
    with _Supervision.lock, contextlib.suppress(OSError):
        while data:
            data = data[os.write(_Supervision.pipe, data) :]


@contextlib.contextmanager
def one_process() -> Iterator[None]:
    """For code of a scene: if it forks, the child ends with the body. Only one process may go on from here."""
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


def _traced() -> bool:
    """Whether a debugger, or another tracer, has this process."""
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
        os._exit(EXIT_CODE)


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
    """Wait for the child; return its exit code, or minus its signal, and what it told.

    After its verdict it has a few seconds to end. One that does not is killed, and the verdict stands.
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
        messages += _messages(told)
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


def _messages(told: bytearray) -> Iterator[tuple[Any, ...]]:
    """Take all whole messages out of what was told."""
    while len(told) >= _LENGTH_BYTES:
        end = _LENGTH_BYTES + int.from_bytes(told[:_LENGTH_BYTES], "little")
        if end > len(told):
            return
        yield pickle.loads(told[_LENGTH_BYTES:end])
        del told[:end]


def _show_cursor() -> None:
    """Leave the line of the progress bar, which hides the cursor."""
    if in_terminal():
        click.echo("\x1b[?25h")


class _Story:
    """What the working process told before it ended without a verdict."""

    def __init__(self, messages: list[tuple[Any, ...]]) -> None:
        self._planned: list[SceneResult] = []
        self._cases: dict[tuple[str, str], CaseResult] = {}
        self._scenes: dict[str, SceneResult] = {}
        self._running: dict[str, str | None] = {}
        self._reports: tuple[Any, ...] | None = None
        self._loading: str | None = None
        self._verdict = False
        for message in messages:
            self._note(*message)

    def _note(self, kind: str, *values: Any) -> None:
        if kind == "planned":
            [self._planned] = values
        elif kind == "running":
            self._running[values[0]] = values[1]
        elif kind == "case":
            self._cases[values[0], values[1].case] = values[1]
        elif kind == "scene":
            self._scenes[values[0].name] = values[0]
            self._running.pop(values[0].name, None)
        elif kind == "loading":
            [self._loading] = values
        elif kind == "reports":
            self._reports = values
        elif kind == "verdict":
            self._verdict = True

    def finish(self, code: int) -> int:
        """Say what happened, write the reports, and return the exit code."""
        how = f"signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"exit code {code}"
        why = f"the process ended early, with {how}"
        _show_cursor()
        complain(f"chiphost: {why}; {self._when()}")
        if self._running or self._loading:
            what = "crashed" if code < 0 else "left the process, as with exit()"
            complain(f"  hint: a kernel, or something else of the scene, {what}")
        if self._reports is not None and not self._verdict:
            self._report(why, *self._reports)
        return EXIT_CODE

    def _when(self) -> str:
        if self._verdict:
            return "there was a verdict already"
        running = [
            f"{one_line(scene)}, case {case!r}" if case else one_line(scene) for scene, case in self._running.items()
        ]
        if len(running) > 1:
            return f"one of these was running: {'; '.join(running)}"
        if running:
            return f"{running[0]} was running"
        return (
            f"the description of {one_line(self._loading)} was being read" if self._loading else "no scene was running"
        )

    def _report(self, why: str, json_file: Any, junit_file: Any, platform: str, seed: int, options: list[str]) -> None:
        from ..scenes import report
        from ..scenes.run import SceneResult

        results = [self._result(planned, why) for planned in self._planned]
        if not results:  # that cannot be a success: a scene stands for all that were not loaded
            name = self._loading or "(scenes)"
            results = [SceneResult(name, platform, name.partition("/")[0], False, 0.0, why, seed, ())]
        for result in results:
            if result.name in self._running and (again := report.replay_command(result, options)):
                advise(again)
        for file, make in ((json_file, report.to_json), (junit_file, report.to_junit)):
            if file is None:
                continue
            try:
                file.write(make(results))
            except OSError as error:
                complain(f"chiphost: cannot write {file.path}: {error}")
        click.echo(report.summary(results))

    def _result(self, planned: SceneResult, why: str) -> SceneResult:
        from dataclasses import replace

        if planned.name in self._scenes:
            return self._scenes[planned.name]
        if planned.name not in self._running:
            return planned
        running = self._running[planned.name]
        cases = tuple(
            self._cases.get((planned.name, case.case)) or (replace(case, error=why) if case.case == running else case)
            for case in planned.cases
        )
        errors = [f"case {case.case!r}: {case.error}" for case in cases if case.error]
        return replace(planned, cases=cases, error="\n".join(errors) or why)

# SPDX-License-Identifier: Apache-2.0
"""The program `chiphost`.

Exit codes: 0 all passed, 1 something failed, 2 wrong usage or environment, 3 the process ended without a verdict, 4
standard output could not be written, 128 + n ended by signal n, such as 130 for Ctrl-C.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from types import FrameType
from typing import Any, Final, TextIO, cast

import click

from .._text.printable import printable
from .._text.suggestion import nearest
from ..scenes import events
from . import supervisor
from .commands import COMMANDS
from .terminal import Interrupted, complain, terminal_width

_NO_OUTPUT: Final = 4
_SIZE_VARIABLES: Final = ("COLUMNS", "LINES")
_SIZE_DIGITS_MAX: Final = 4
_SIGNALLED: Final = 128


class _Formatter(click.HelpFormatter):
    """Lays out lists of options so that both columns fit in the width."""

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write a list of terms and what they mean."""
        super().write_dl(list(rows), min(col_max, self.width // 3), col_spacing)


class _Context(click.Context):
    formatter_class = _Formatter


class _Group(click.Group):
    """Shows errors of every kind in the same way: chiphost's own without a traceback, click's, and an interruption."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and end with SystemExit; without `standalone_mode` all exceptions go to the caller."""
        words = (args, prog_name, complete_var)
        if not standalone_mode:
            return super().main(*words, standalone_mode=False, **extra)
        try:
            code = super().main(*words, standalone_mode=False, **extra)
        except click.ClickException as error:
            _show(error)
            code = error.exit_code
        except click.Abort:  # Ctrl-C before a command began
            _show(Interrupted())
            code = Interrupted.exit_code
        sys.exit(code if isinstance(code, int) else 0)

    context_class = _Context

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command; its help is laid out like that of the group."""
        cmd.context_class = _Context
        super().add_command(cmd, name)

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Let help be as wide as the terminal."""
        if width := terminal_width(sys.stdout):
            options.setdefault("terminal_width", width)
        return super().make_context(*args, **options)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; the error for one that does not exist names the command that may have been meant."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            near = nearest(name, self.commands)
            raise click.UsageError(f"No such command {name!r}.{f' Did you mean {near!r}?' if near else ''}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; chiphost's own errors are shown here."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise Interrupted() from stop
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            from ..errors import ChiphostError  # loads the C++ core; see `commands`

            words = str(error) if isinstance(error, ChiphostError) else _limit_reached(error)
            if not words:
                raise
            if os.environ.get("CHIPHOST_DEBUG", "0") not in ("", "0"):
                click.echo(printable(traceback.format_exc().rstrip()), err=True)
            complain(f"chiphost: {words}")
            ctx.exit(2)


def _show(error: click.ClickException) -> None:
    words = io.StringIO()
    error.show(words)
    complain(words.getvalue().rstrip("\n"))


def _limit_reached(error: Exception) -> str:
    """The limit of the machine that an error is about; empty if it is about none."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        hint = "raise the limit, as with ulimit -n 1024"
        return f"{error.strerror}: this process may have {allowed} at a time\n  hint: {hint}"
    no_thread = isinstance(error, RuntimeError) and "start new thread" in str(error)
    if no_thread or (isinstance(error, OSError) and error.errno == errno.EAGAIN):
        allowed = resource.getrlimit(resource.RLIMIT_NPROC)[0]
        most = "as many as the system allows" if allowed == resource.RLIM_INFINITY else f"{allowed}"
        what = "thread" if no_thread else "process"
        return (
            f"no {what} can be made: this user may have {most} processes and threads, or a container's limit is reached"
            "\n  hint: end some, or raise the limit, as with ulimit -u"
        )
    return ""


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from .._core import VERSION  # see `commands`

        click.echo(f"chiphost {VERSION}")
        ctx.exit()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show it.")
def cli() -> None:
    """Run task graphs on simulated and real AI accelerator chips."""


for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the program `chiphost`; does not return."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # compilers say things that not every locale can
    output = StandardOutput(sys.stdout) if isinstance(sys.stdout, io.TextIOWrapper) else None
    if output:
        sys.stdout = cast("TextIO", output)
    _forget_odd_sizes()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # some services ignore it, and that hides how processes end
    interruptions = _Interruptions()
    supervisor.allow()
    code: object = 1
    try:
        cli(prog_name="chiphost")
    except SystemExit as end:
        code = end.code
    finally:
        if interruptions.number:
            code = _SIGNALLED + interruptions.number
        if output and output.close_if_lost():
            code = _NO_OUTPUT
        events.tell("verdict", _number(code))
    _leave_at_once_if_needed(_number(code))
    sys.exit(cast("int | str | None", code))


def _forget_odd_sizes() -> None:
    """Remove the variables that say a terminal has no columns, or a million; rich would believe them."""
    for name in _SIZE_VARIABLES:
        value = os.environ.get(name, "1")
        if not re.fullmatch(f"0*[1-9][0-9]{{0,{_SIZE_DIGITS_MAX - 1}}}", value):
            os.environ.pop(name, None)


class StandardOutput:
    """Standard output that may be lost, as on a full disk: that is no reason to stop what is under way."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        """Stand in for the stream."""
        self._stream = stream
        self._error: OSError | None = None

    def write(self, text: str) -> int:
        """Write text, or drop it if that failed before."""
        if not isinstance(text, str):
            raise TypeError(f"wanted a str, found {type(text).__name__}")
        self._try(self._stream.write, text)
        return len(text)

    def flush(self) -> None:
        """Write out the buffer."""
        self._try(self._stream.flush)

    def close_if_lost(self) -> bool:
        """Close the stream. If anything could not be written, complain and return True; Python does not try again."""
        with contextlib.suppress(BrokenPipeError):
            self.flush()
        if self._error is None:
            return False
        complain(f"chiphost: cannot write standard output: {self._error.strerror or self._error}")
        with contextlib.suppress(OSError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            self._stream.flush()
        return True

    def _try(self, function: Callable[..., object], *words: str) -> None:
        if self._error is not None:
            return
        try:
            function(*words)
        except BrokenPipeError:  # a reader that went away: that ends the program, and quietly
            raise
        except OSError as error:
            self._error = error

    def __getattr__(self, name: str) -> Any:
        """Pass on everything else to the stream."""
        return getattr(self._stream, name)


class _Interruptions:
    """Makes SIGTERM and SIGHUP do what Ctrl-C does. Works once: nothing may keep the cleaning up from its end."""

    def __init__(self) -> None:
        self.number = 0
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:  # else nohup ignores it
                signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if not self.number:
            self.number = number
            raise KeyboardInterrupt


def _number(code: object) -> int:
    """The exit code of a process that ends with SystemExit(code)."""
    return code if isinstance(code, int) else 0 if code is None else 1


def _leave_at_once_if_needed(code: int) -> None:
    """End the process here if threads are left that would be in the way of Python's own end.

    This stops daemons that still run scenes, and waits for all other threads, such as one that a scene's Python code
    has started.
    """
    # runner.THREAD_NAME, which --help should not have to import
    others = set(threading.enumerate()) - {threading.main_thread()}
    if not any(thread.name.startswith("chiphost-scene") or not thread.daemon for thread in others):
        return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)

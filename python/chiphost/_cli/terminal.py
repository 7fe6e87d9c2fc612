# SPDX-License-Identifier: Apache-2.0
"""Lines for people, and the terminal they are printed in. Nothing here is heavy to import; `console` has the rest."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Any, Final, TextIO

import click

from .._text.printable import one_line, printable

COLUMNS: Final = 80  # the width of a terminal that does not say it
COLUMNS_MIN: Final = 20  # nothing can be laid out in less
_HANG: Final = 4  # further cells of indentation before the rest of a line that did not fit


class Interrupted(click.ClickException):
    """An early end of a command, caused by Ctrl-C or by a signal that acts like it. Says what was done."""

    exit_code = 128 + signal.SIGINT

    def __init__(self, done: str = "", during: Sequence[str] = ()) -> None:
        """Keep `done`, such as "1 of 2 scenes had ended", and `during`, the work that was under way."""
        words = f"interrupted in {listed(during)}" if during else "interrupted"
        super().__init__(f"{words}; {done}" if done else words)

    def show(self, file: IO[Any] | None = None) -> None:
        """Print one line."""
        click.echo(f"chiphost: {self.message}", file=file, err=True)


@contextlib.contextmanager
def interruptible(done: Callable[[], str]) -> Iterator[None]:
    """If the body is interrupted, end the command with the text that `done` returns then."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise Interrupted(done()) from stop


class Command(str):
    """A line with a command to be copied into a shell: a backslash marks the places where it is broken."""

    __slots__ = ()


def terminal_width(stream: TextIO | None) -> int | None:
    """Columns of the terminal that a stream writes to; None if it writes to none: then no line is broken."""
    try:
        if stream is None or not stream.isatty():
            return None
        columns = os.environ.get("COLUMNS", "")
        found = int(columns) if columns.isdecimal() else 0
        return max(found or os.get_terminal_size(stream.fileno()).columns or COLUMNS, COLUMNS_MIN)
    except (OSError, ValueError):  # closed, or no file
        return None


def in_terminal() -> bool:
    """True if standard output is a terminal where lines can be overwritten."""
    # Not Console.is_terminal: FORCE_COLOR asks for colours in a pipe, not for a bar.
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def complain(text: str) -> None:
    """Print lines about a problem to standard error. For text from anywhere."""
    width = terminal_width(sys.stderr)
    lines = printable(text).split("\n")
    click.echo("\n".join(piece for line in lines for piece in broken(line, width)), err=True)


def advise(command: str) -> None:
    """Print a command that is worth trying, below a problem."""
    width = terminal_width(sys.stderr)
    click.echo("\n".join(broken(f"  again: {printable(command)}", width, command=True)), err=True)


def plural(count: int, noun: str) -> str:
    """For example "1 task", "4 tasks"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def progress(done: int, total: int, noun: str) -> str:
    """For example "1 of 2 scenes had ended"."""
    return f"{done} of {plural(total, noun)} had ended"


def listed(names: Iterable[str], most: int = 3) -> str:
    """The first few names for one line, and the number of further ones."""
    names = [one_line(name) for name in names]
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more])


def broken(line: str, width: int | None, *, command: bool = False) -> list[str]:
    """The lines into which a line is broken so that it fits a width. Broken lines of a command end with a backslash."""
    indent = hang(line)
    found = pieces(line, width, command)
    lines = [f"{indent if index else ''}{line[begin:end]}" for index, (begin, end) in enumerate(found)]
    return [f"{each} \\" for each in lines[:-1]] + lines[-1:] if command else lines


def pieces(line: str, width: int | None, command: bool) -> Iterator[tuple[int, int]]:
    """Begin and end of each piece of a line that is broken between words. A word that is too long stays whole."""
    if width is None or cell_count(line) <= width:
        yield 0, len(line)
        return
    room = width - (2 if command else 0)
    # A blank inside quotes is no place to break a command.
    word = r"""(?:\$'(?:\\.|[^'\\])*'|'[^']*'|"[^"]*"|\S)+""" if command else r"\S+"
    begin = end = 0
    for found in re.finditer(word, line):
        if end and cell_count(line[begin : found.end()]) > room:
            yield begin, end
            begin, room = found.start(), width - len(hang(line)) - (2 if command else 0)
        end = found.end()
    yield begin, end


def hang(line: str) -> str:
    """The blanks before the rest of a line that did not fit."""
    return " " * (len(line) - len(line.lstrip(" ")) + _HANG)


def cell_count(text: str) -> int:
    """The cells of a terminal that a text fills."""
    if text.isascii():
        return len(text.expandtabs())
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text.expandtabs()) + wide - sum(map(bool, map(unicodedata.combining, text)))

# SPDX-License-Identifier: Apache-2.0
"""Lines for people. Nothing here is heavy to import; rich is, and only what prints results needs it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, Final, TextIO

import click

from .._text.printable import one_line, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_COLUMNS: Final = 80  # of a terminal that does not say how wide it is
_COLUMNS_MIN: Final = 20  # below that nothing can be laid out
_BELOW: Final = " " * 6  # before lines that belong to the one above
_HANG: Final = 4  # cells more than the line's own indentation before what did not fit on it


class Interrupted(click.ClickException):
    """Ctrl-C, or what a signal does in its stead, ended a command early. Says what was done."""

    exit_code = 128 + signal.SIGINT

    def __init__(self, done: str = "", during: Sequence[str] = ()) -> None:
        """`done`: such as "1 of 2 scenes had ended"; `during`: what was under way."""
        words = f"interrupted in {listed(during)}" if during else "interrupted"
        super().__init__(f"{words}; {done}" if done else words)

    def show(self, file: IO[Any] | None = None) -> None:
        """One line."""
        click.echo(f"chiphost: {self.message}", file=file, err=True)


@contextlib.contextmanager
def interruptible(done: Callable[[], str]) -> Iterator[None]:
    """If the body is interrupted, end the command with what `done` says then."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise Interrupted(done()) from stop


class Command(str):
    """A line with a command to be copied into a shell: where it is broken, a backslash says so."""

    __slots__ = ()


def terminal_width(stream: TextIO | None) -> int | None:
    """Columns of the terminal that a stream writes to; None if it writes to none: then no line is broken."""
    try:
        if stream is None or not stream.isatty():
            return None
        columns = os.environ.get("COLUMNS", "")
        found = int(columns) if columns.isdecimal() else 0
        return max(found or os.get_terminal_size(stream.fileno()).columns or _COLUMNS, _COLUMNS_MIN)
    except (OSError, ValueError):  # closed, or no file
        return None


def in_terminal() -> bool:
    """Whether standard output is a terminal where lines can be overwritten."""
    # Not Console.is_terminal: FORCE_COLOR asks for colours in a pipe, not for a bar.
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def make_console(width: int | None = None) -> Console:
    """A console on standard output that prints text as it is.

    `width` is for other things than a terminal; a terminal has its own, which may change.
    """
    from rich.console import Console

    own = terminal_width(sys.stdout)
    fixed = (own if "COLUMNS" in os.environ else None) if own else (width or _COLUMNS)
    console = Console(markup=False, emoji=False, highlight=False, width=fixed)
    if console.width < _COLUMNS_MIN:  # less shows nothing; a terminal that is really so narrow wraps lines itself
        console.width = _COLUMNS_MIN
    return console


def print_lines(console: Console, line: str | Text, below: Sequence[str] = ()) -> None:
    """Print a line, and further ones indented; one of these that has ends of lines in it is several.

    In a terminal, lines are broken between words. Elsewhere they are not: they are to be searched.
    """
    from rich.text import Text

    width = terminal_width(sys.stdout)
    plain = printable(str(line))
    if isinstance(line, str) or plain != line.plain:  # then it is shown without its colours
        line = Text(plain)
    lines = list(_broken_text(line, width))
    for each in filter(None, below):
        for part in printable(each).split("\n"):
            is_command = isinstance(each, Command)
            lines += map(Text, _broken(f"{_BELOW}{part}".rstrip(), width, command=is_command))
    console.print(Text("\n").join(lines), soft_wrap=True)


def print_table(console: Console, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str | Text]]) -> None:
    """Print a table, or its rows as lines where the terminal is too narrow for the words in it.

    A column is a title and how its cells are justified: "left" or "right". Cells of the first and the last column may
    be broken between words; those of the first one only if breaking the last one is not enough.
    """
    from rich.table import Table

    rows = list(rows)
    table = Table(box=None, pad_edge=False)
    texts = [[title, *(str(row[index]) for row in rows)] for index, (title, _) in enumerate(columns)]
    whole = [max(map(_cells, column)) for column in texts]
    words = [max(_cells(word) for text in column for word in text.split() or [""]) for column in texts]
    blanks, last = 2 * len(columns), len(columns) - 1
    wrapping = {last} if blanks + sum(whole[:last]) + words[last] <= console.width else {0, last}
    # Two that wrap share what is left, and not by need.
    needed = blanks + sum(
        len(wrapping) * words[index] if index in wrapping else whole[index] for index in range(len(columns))
    )
    for index, (title, justify) in enumerate(columns):
        table.add_column(title, justify="right" if justify == "right" else "left", no_wrap=index not in wrapping)
    for row in rows:
        table.add_row(*row)
    if needed <= console.width:
        console.print(table)
        return
    for row in rows:
        cells = [str(cell) for cell in row]
        named = [
            f"{title.lower()} {cell}" if title and cell else cell
            for (title, _), cell in zip(columns, cells, strict=True)
        ]
        print_lines(console, " ".join([f"{cells[0]}:", *filter(None, named[1:])]))


def complain(text: str) -> None:
    """Print lines about a problem to standard error. For text from anywhere."""
    width = terminal_width(sys.stderr)
    lines = printable(text).split("\n")
    click.echo("\n".join(piece for line in lines for piece in _broken(line, width)), err=True)


def advise(command: str) -> None:
    """Print a command that is worth trying, below a problem."""
    width = terminal_width(sys.stderr)
    click.echo("\n".join(_broken(f"  again: {printable(command)}", width, command=True)), err=True)


def plural(count: int, noun: str) -> str:
    """For example "1 task", "4 tasks"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def progress(done: int, total: int, noun: str) -> str:
    """For example "1 of 2 scenes had ended"."""
    return f"{done} of {plural(total, noun)} had ended"


def listed(names: Iterable[str], most: int = 3) -> str:
    """Names for one line: the first few of them, and how many there are besides."""
    names = [one_line(name) for name in names]
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more])


def _broken(line: str, width: int | None, *, command: bool = False) -> list[str]:
    pieces = list(_pieces(line, width, command))
    hang = _hang(line)
    lines = [f"{hang if index else ''}{line[begin:end]}" for index, (begin, end) in enumerate(pieces)]
    return [f"{each} \\" for each in lines[:-1]] + lines[-1:] if command else lines


def _broken_text(line: Text, width: int | None) -> Iterator[Text]:
    for index, (begin, end) in enumerate(_pieces(line.plain, width, False)):
        piece = line[begin:end]
        if index:
            piece.pad_left(len(_hang(line.plain)))
        yield piece


def _pieces(line: str, width: int | None, command: bool) -> Iterator[tuple[int, int]]:
    """Where a line is broken, between words: begin and end of each piece. A word that is too long stays whole."""
    if width is None or _cells(line) <= width:
        yield 0, len(line)
        return
    room = width - (2 if command else 0)
    # Quoted blanks are no place to break a command.
    word = r"""(?:\$'(?:\\.|[^'\\])*'|'[^']*'|"[^"]*"|\S)+""" if command else r"\S+"
    begin = end = 0
    for found in re.finditer(word, line):
        if end and _cells(line[begin : found.end()]) > room:
            yield begin, end
            begin, room = found.start(), width - len(_hang(line)) - (2 if command else 0)
        end = found.end()
    yield begin, end


def _hang(line: str) -> str:
    return " " * (len(line) - len(line.lstrip(" ")) + _HANG)


def _cells(text: str) -> int:
    """The cells of a terminal that a text fills."""
    if text.isascii():
        return len(text.expandtabs())
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text.expandtabs()) + wide - sum(map(bool, map(unicodedata.combining, text)))

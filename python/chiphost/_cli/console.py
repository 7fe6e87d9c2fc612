# SPDX-License-Identifier: Apache-2.0
"""Lines on standard output, with colours where there is a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from .._text.printable import printable
from .terminal import COLUMNS, COLUMNS_MIN, Command, broken, hang, pieces, terminal_width

_BELOW: Final = " " * 6  # before lines that belong to the one above


def make_console(width: int | None = None) -> Console:
    """A console on standard output that prints text as it is.

    `width` is for output that is no terminal; a terminal has its own width, which may change.
    """
    own = terminal_width(sys.stdout)
    fixed = (own if "COLUMNS" in os.environ else None) if own else (width or COLUMNS)
    console = Console(markup=False, emoji=False, highlight=False, width=fixed)
    if console.width < COLUMNS_MIN:  # less shows nothing; a terminal that is really so narrow wraps lines itself
        console.width = COLUMNS_MIN
    return console


def print_lines(console: Console, line: str | Text, below: Sequence[str] = ()) -> None:
    """Print a line, and further ones indented below. A further line that contains ends of lines is printed as several.

    In a terminal, lines are broken between words. Elsewhere they stay whole, so that they can be searched.
    """
    width = terminal_width(sys.stdout)
    plain = printable(str(line))
    if isinstance(line, str) or plain != line.plain:  # then it is shown without its colours
        line = Text(plain)
    lines = list(_broken_text(line, width))
    for each in filter(None, below):
        for part in printable(each).split("\n"):
            is_command = isinstance(each, Command)
            lines += map(Text, broken(f"{_BELOW}{part}".rstrip(), width, command=is_command))
    console.print(Text("\n").join(lines), soft_wrap=True)


def _broken_text(line: Text, width: int | None) -> Iterator[Text]:
    for index, (begin, end) in enumerate(pieces(line.plain, width, False)):
        piece = line[begin:end]
        if index:
            piece.pad_left(len(hang(line.plain)))
        yield piece

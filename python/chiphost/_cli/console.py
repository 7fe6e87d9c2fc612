# SPDX-License-Identifier: Apache-2.0
"""Lines and tables on standard output, with colours where there is a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .._text.printable import printable
from .terminal import COLUMNS, COLUMNS_MIN, Command, broken, cell_count, hang, pieces, terminal_width

_BELOW: Final = " " * 6  # before lines that belong to the one above


def make_console(width: int | None = None) -> Console:
    """A console on standard output that prints text as it is.

    `width` is for other things than a terminal; a terminal has its own, which may change.
    """
    own = terminal_width(sys.stdout)
    fixed = (own if "COLUMNS" in os.environ else None) if own else (width or COLUMNS)
    console = Console(markup=False, emoji=False, highlight=False, width=fixed)
    if console.width < COLUMNS_MIN:  # less shows nothing; a terminal that is really so narrow wraps lines itself
        console.width = COLUMNS_MIN
    return console


def print_lines(console: Console, line: str | Text, below: Sequence[str] = ()) -> None:
    """Print a line, and further ones indented; one of these that has ends of lines in it is several.

    In a terminal, lines are broken between words. Elsewhere they are not: they are to be searched.
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


def print_table(console: Console, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[str | Text]]) -> None:
    """Print a table, or its rows as lines where the terminal is too narrow for the words in it.

    A column is a title and how its cells are justified: "left" or "right". Cells of the first and the last column may
    be broken between words; those of the first one only if breaking the last one is not enough.
    """
    rows = list(rows)
    table = Table(box=None, pad_edge=False)
    texts = [[title, *(str(row[index]) for row in rows)] for index, (title, _) in enumerate(columns)]
    whole = [max(map(cell_count, column)) for column in texts]
    words = [max(cell_count(word) for text in column for word in text.split() or [""]) for column in texts]
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


def _broken_text(line: Text, width: int | None) -> Iterator[Text]:
    for index, (begin, end) in enumerate(pieces(line.plain, width, False)):
        piece = line[begin:end]
        if index:
            piece.pad_left(len(hang(line.plain)))
        yield piece

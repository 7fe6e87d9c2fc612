# SPDX-License-Identifier: Apache-2.0
"""Tables on standard output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .console import print_lines
from .terminal import cell_count


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
    # Two columns that wrap share the rest evenly, not by need.
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

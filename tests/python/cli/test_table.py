# SPDX-License-Identifier: Apache-2.0
"""Tables: nothing is lost, however wide the console is."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiphost._cli.console import make_console
from chiphost._cli.table import print_table

COLUMNS = [("What", "left"), ("Measured", "right"), ("Remark", "left")]
WORDS = st.text("abcdefgh", min_size=1, max_size=12)
TEXTS = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
ROWS = st.lists(st.tuples(TEXTS, WORDS, TEXTS), min_size=1, max_size=5)


def printed(rows: list[tuple[str, str, str]], width: int) -> list[str]:
    """The lines of a table on a console that is no terminal."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as out:
        patch.delenv("COLUMNS", raising=False)
        patch.delenv("FORCE_COLOR", raising=False)
        print_table(make_console(width), COLUMNS, rows)
    return out.getvalue().splitlines()


def test_a_wide_table_has_a_line_for_each_row():
    head, first, second = printed([("runs", "12.5", "per second"), ("load", "3", "")], 60)
    assert head.split() == ["What", "Measured", "Remark"]
    assert first.split() == ["runs", "12.5", "per", "second"]
    assert second.split() == ["load", "3"]
    assert first.index("12.5") + len("12.5") == head.index("Measured") + len("Measured")  # justified to the right


def test_the_last_column_is_broken_before_the_first_one():
    lines = printed([("two words", "12.5", "a remark of many words")], 40)
    assert any("two words" in line for line in lines)
    assert not any("a remark of many words" in line for line in lines)


def test_the_first_column_is_broken_if_the_last_one_is_not_enough():
    lines = printed([("many small words in here", "12.5", "odd")], 38)
    assert not any("many small words in here" in line for line in lines)
    assert not any("measured" in line for line in lines)  # it is still a table


def test_what_does_not_fit_becomes_lines():
    assert printed([("runs", "12.5", "extraordinarily"), ("load", "", "odd")], 20) == [
        "runs: measured 12.5 remark extraordinarily",
        "load: remark odd",
    ]


@given(ROWS, st.integers(20, 120))
def test_every_word_is_shown_whole(rows: list[tuple[str, str, str]], width: int):
    shown = sorted(" ".join(printed(rows, width)).replace(":", "").split())
    words = sorted(word for row in rows for cell in row for word in cell.split())
    for word in words:
        assert word in shown
        shown.remove(word)
    assert {*shown} <= {"What", "Measured", "Remark", "measured", "remark"}

# SPDX-License-Identifier: Apache-2.0
"""The table of the fields of a run's configuration: it says what CallConfig does."""

from __future__ import annotations

import inspect

import pytest

import chiphost as ch
from chiphost.call_config import FIELDS, table_as_markdown

NUMBERS = [name for name, field in FIELDS.items() if field.kind in ("number", "optional")]


def test_the_table_has_the_fields_of_the_class():
    own = {name for name, _ in inspect.getmembers(ch.CallConfig, inspect.isdatadescriptor) if not name.startswith("_")}
    assert {*FIELDS} == own
    assert {field.kind for field in FIELDS.values()} <= {"number", "optional", "flag", "seconds"}
    assert {field.user for field in FIELDS.values()} <= {"graph", "simulation", "caller"}


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.kind != "optional"])
def test_the_words_for_a_default_begin_with_it(name):
    first, *_ = FIELDS[name].default.replace(",", " ").split()
    assert first == str(getattr(ch.CallConfig(), name))


@pytest.mark.parametrize("name", NUMBERS)
def test_the_least_value_is_taken_and_a_negative_one_is_not(name):
    least = FIELDS[name].least
    config = ch.CallConfig()
    setattr(config, name, least)
    assert getattr(config, name) == least
    with pytest.raises((ch.ConfigError, ch.ArgumentError), match=name):
        setattr(config, name, -1)


@pytest.mark.parametrize("name", FIELDS)
def test_none_is_for_what_the_chip_may_choose(name):
    config = ch.CallConfig()
    if FIELDS[name].kind == "optional":
        setattr(config, name, None)
        assert getattr(config, name) is None
    else:
        with pytest.raises(ch.ChiphostError, match=name):
            setattr(config, name, None)


def test_the_table_for_the_docs_has_a_row_for_each_field():
    head, rule, *rows = table_as_markdown().splitlines()
    assert (head, rule) == ("| Field | Default | Range | Meaning |", "|---|---|---|---|")
    assert [row.split("|")[1].strip(" `") for row in rows] == list(FIELDS)
    assert all(FIELDS[name].meaning in row for name, row in zip(FIELDS, rows, strict=True))

# SPDX-License-Identifier: Apache-2.0
"""Suggestions for a name that does not exist."""

from __future__ import annotations

import pytest

from chiphost._text.suggestion import did_you_mean, nearest

PLATFORMS = ("a2a3sim", "a5sim", "a2a3", "a5")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("a2a3sin", "a2a3sim"),
        ("A5SIM", "a5sim"),  # case does not count, and the name is given as it is written
        ("x", None),
        ("", None),
        (None, None),  # whatever a caller may pass for a name
        (("a5sim",), "a5sim"),
    ],
)
def test_the_nearest_name(name: object, meant: str | None) -> None:
    assert nearest(name, PLATFORMS) == meant
    assert did_you_mean(name, PLATFORMS) == (f"did you mean {meant!r}? " if meant else "")


def test_names_are_given_as_they_are_written() -> None:
    assert nearest("chiphost_stack_byte", ["CHIPHOST_STACK_BYTES"]) == "CHIPHOST_STACK_BYTES"


def test_of_no_names_none_is_near() -> None:
    assert nearest("a5sim", []) is None

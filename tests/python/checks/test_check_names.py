# SPDX-License-Identifier: Apache-2.0
"""The words by which checks are chosen."""

from __future__ import annotations

import pytest

import chiphost as ch
from chiphost import checks


@pytest.mark.parametrize(
    ("choice", "mask"),
    [
        (None, 0),
        (False, 0),
        ("", 0),
        ((), 0),
        (True, 63),
        ("all", 63),
        ("races", 1),
        ("Races", 1),
        ("declared,memory", 2 | 4),
        (" init , arguments ", 8 | 32),
        (["arguments", "races,init"], 32 | 1 | 8),
        ({"memory"}, 4),
    ],
)
def test_a_choice_becomes_a_mask(choice, mask):
    assert checks.parse(choice) == mask


@pytest.mark.parametrize("mask", [mask for mask in range(64) if not mask & 16])
def test_a_mask_has_a_text_that_gives_it_back(mask):
    from chiphost.checks import check_names

    assert checks.parse(check_names.as_text(mask)) == mask
    assert checks.parse(checks.names_of(mask)) == mask


def test_an_unknown_word_is_an_error_with_a_guess():
    with pytest.raises(ch.ArgumentError, match=r"check: wanted all, or some of races, .*; found 'race'") as caught:
        checks.parse("memory,race")
    assert caught.value.name == "INVALID_ARGUMENT"
    assert caught.value.hint.startswith("did you mean 'races'? ")


@pytest.mark.parametrize("choice", [1, 1.5, b"races", [1], object()])
def test_what_is_no_choice_is_an_error(choice):
    with pytest.raises(ch.ArgumentError, match="wanted True or names of checks"):
        checks.parse(choice)

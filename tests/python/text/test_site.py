# SPDX-License-Identifier: Apache-2.0
"""Addresses on the documentation site, in messages."""

from __future__ import annotations

import pickle

import pytest

from chiphost import errors
from chiphost._text import site

KNOWN = "https://docs.example.com/chiphost"


@pytest.mark.parametrize("value", [KNOWN, f"{KNOWN}/", f" {KNOWN}//\n"])
def test_the_address_of_a_row(monkeypatch, value):
    monkeypatch.setenv("CHIPHOST_DOCS_URL", value)
    assert site.address(site.ERRORS, "LOAD_REFUSED") == f"{KNOWN}/error-codes.html#load-refused"
    assert site.address(site.REQUIREMENTS, "PLAT-07") == f"{KNOWN}/reference/platform-requirements.html#plat-07"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_without_a_site_there_is_no_address(monkeypatch, value):
    if value is None:
        monkeypatch.delenv("CHIPHOST_DOCS_URL", raising=False)
    else:
        monkeypatch.setenv("CHIPHOST_DOCS_URL", value)
    assert site.address(site.ERRORS, "LOAD_REFUSED") == ""


def test_what_controls_a_terminal_does_not_come_through(monkeypatch):
    monkeypatch.setenv("CHIPHOST_DOCS_URL", "https://x\x1b[2J")
    assert site.address(site.ERRORS, "STALLED") == "https://x\\x1b[2J/error-codes.html#stalled"


@pytest.mark.parametrize("name", sorted(errors.CODES))
def test_every_error_ends_with_the_address_of_its_row(monkeypatch, name):
    without = str(errors.make_error(name, "text", "place"))
    monkeypatch.setenv("CHIPHOST_DOCS_URL", KNOWN)
    error = errors.make_error(name, "text", "place")
    assert str(error) == f"{without}\n  see: {KNOWN}/error-codes.html#{site.anchor_of(name)}"
    assert error.hint == errors.ERROR_TABLE[error.code].remedy
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_an_error_record_of_the_core_ends_with_it_too(monkeypatch):
    monkeypatch.setenv("CHIPHOST_DOCS_URL", KNOWN)
    with pytest.raises(errors.StallError) as caught:
        errors.raise_error(errors.CODES["STALLED"], "two tasks are left", "", 0, -1, -1, -1)
    assert str(caught.value).splitlines()[-1] == f"  see: {KNOWN}/error-codes.html#stalled"

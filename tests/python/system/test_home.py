# SPDX-License-Identifier: Apache-2.0
"""The user's own folder, and the meaning of ~. test_cache_folder.py tests the place of the cache."""

from __future__ import annotations

import os
import pwd
import types
from pathlib import Path

import pytest

from chiphost._system import home


def known_as(monkeypatch: pytest.MonkeyPatch, folder: str | None) -> None:
    """Set the system's answer about this user; None: it does not know the number."""

    def getpwuid(number: int) -> types.SimpleNamespace:
        assert number == os.getuid()
        if folder is None:
            raise KeyError(number)
        return types.SimpleNamespace(pw_dir=folder)

    monkeypatch.setattr(pwd, "getpwuid", getpwuid)


def test_home_goes_before_what_the_system_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known_as(monkeypatch, str(tmp_path))
    monkeypatch.setenv("HOME", "/home/of/nobody")
    assert home.folder() == Path("/home/of/nobody")


@pytest.mark.parametrize("named", [None, "", "relative", "./here"])
def test_what_names_no_folder_is_passed_over(
    named: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if named is None:
        monkeypatch.delenv("HOME", raising=False)
    else:
        monkeypatch.setenv("HOME", named)
    known_as(monkeypatch, str(tmp_path))
    assert home.folder() == tmp_path
    for nothing in (None, str(tmp_path / "none"), "relative"):
        known_as(monkeypatch, nothing)
        assert home.folder() is None


def test_a_tilde_is_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home.expanded("~") == tmp_path
    assert home.expanded("~/lib/a2a3sim") == tmp_path / "lib" / "a2a3sim"
    for path in ("/lib/~", "lib", ""):
        assert home.expanded(path) == Path(path)


def test_a_tilde_that_nobody_knows_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    known_as(monkeypatch, None)
    with pytest.raises(RuntimeError, match=f"HOME names no folder, and user {os.getuid()} has none"):
        home.expanded("~/lib")
    with pytest.raises(RuntimeError):
        home.expanded("~nobody-at-all/lib")

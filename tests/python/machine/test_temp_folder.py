# SPDX-License-Identifier: Apache-2.0
"""The folder for temporary files, and the reasons why one is of no use."""

from __future__ import annotations

from pathlib import Path

import pytest

from chiphost._machine import temp_folder


def test_one_that_works_is_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert temp_folder.chosen() == str(tmp_path)
    assert temp_folder.problem(str(tmp_path)) == ""
    assert not list(tmp_path.iterdir())
    for nothing in ("", None):
        monkeypatch.setenv("TMPDIR", "") if nothing == "" else monkeypatch.delenv("TMPDIR")
        assert temp_folder.chosen() == "/tmp"


def test_what_is_of_no_use_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, reason in (("none", "No such file or directory"), ("file", "Not a directory")):
        folder = str(tmp_path / name)
        assert temp_folder.problem(folder) == f"{folder}: no library can be written there and loaded: {reason}"


def test_memory_stands_in_where_nothing_else_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temp_folder, "problem", lambda folder: "")
    assert temp_folder.replacement() == "/tmp"
    monkeypatch.setattr(temp_folder, "problem", lambda folder: "full")
    assert temp_folder.replacement() == "memory"

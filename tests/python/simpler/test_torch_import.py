# SPDX-License-Identifier: Apache-2.0
"""The time that an import of torch takes. A module of that name stands for torch."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chiphost._simpler import torch_import


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[float]]:
    """No torch was imported yet, and one that takes 7 seconds by this clock can be."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(torch_import._clock, "seconds", None)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "torch"}
    (tmp_path / "torch.py").write_text("import builtins\nbuiltins.chiphost_test_clock[0] += 7\n")
    (tmp_path / "other_than_torch.py").write_text("")
    monkeypatch.setattr("builtins.chiphost_test_clock", now, raising=False)
    importlib.invalidate_caches()
    yield now
    for name in ("torch", "other_than_torch"):
        sys.modules.pop(name, None)
    sys.modules.update(kept)


def test_an_import_in_the_body_is_measured(clock: list[float]) -> None:
    with torch_import.timed():
        clock[0] += 1
        importlib.import_module("torch")
        clock[0] += 1
    assert torch_import.seconds() == 7


def test_other_modules_are_not_measured(clock: list[float]) -> None:
    with torch_import.timed():
        importlib.import_module("other_than_torch")
    assert torch_import.seconds() is None


def test_an_import_after_the_body_is_not_measured(clock: list[float]) -> None:
    finders = list(sys.meta_path)
    with pytest.raises(ZeroDivisionError), torch_import.timed():
        raise ZeroDivisionError
    assert sys.meta_path == finders
    importlib.import_module("torch")
    assert torch_import.seconds() is None


def test_a_torch_that_is_not_there_is_not_found(clock: list[float], tmp_path: Path) -> None:
    (tmp_path / "torch.py").unlink()
    importlib.invalidate_caches()
    with pytest.MonkeyPatch.context() as patch, torch_import.timed():
        patch.setattr(sys, "path", [str(tmp_path)])
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("torch")
    assert torch_import.seconds() is None

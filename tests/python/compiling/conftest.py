# SPDX-License-Identifier: Apache-2.0
"""A compile cache of a test's own, and compilers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cached_compiles import COMPILERS, spy_on_compiler

from chiphost._compiling.cache import CompileCache


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CompileCache:
    """A compile cache that nothing has used, and the compiler that is found without CXX."""
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("CHIPHOST_CACHE_DIR", str(tmp_path / "cache"))
    return CompileCache()


@pytest.fixture
def compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """The number of compiles so far."""
    log = tmp_path / "compiles"
    log.touch()
    spy_on_compiler(tmp_path / "cxx", f'echo >> "{log}"', monkeypatch)
    return lambda: len(log.read_text())


@pytest.fixture(params=COMPILERS)
def each_compiler(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("CXX", request.param)
    return str(request.param)

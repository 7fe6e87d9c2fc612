# SPDX-License-Identifier: Apache-2.0
"""Programs of simpler's scenes are instrumented as others are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from accesses import use_callbacks

from chiphost import compiler
from chiphost.scenes import catalog
from chiphost.scenes.programs import compile_scenes


@pytest.mark.parametrize("name", ["g++", "clang++"])
def test_all_of_them_is_checked(name: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    monkeypatch.setenv("CXX", name)
    use_callbacks(tmp_path, monkeypatch)
    entries = catalog.select(root, platform="a2a3sim")
    assert entries
    done = compile_scenes(entries, "a2a3sim", checked=True)
    for scene, programs in done.items():
        assert not isinstance(programs, Exception), f"{scene}: {programs}"
        for program in programs:
            assert compiler.checked(program).gaps == (), scene
            assert compiler.checked(program).callable.key != program.key

# SPDX-License-Identifier: Apache-2.0
"""Bad input that no worker sees: afterwards workers run scenes as before. Errors of runs are tested with each run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from callables import FOLDER, PLATFORMS, RUNTIME
from checkout import SCENES
from recovery import goes_on, run_scene

import chiphost as ch
from chiphost.scenes import catalog


def compile_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "broken.cpp"
    source.write_text("this is no C++\n")
    ch.compile(source, [])


def compile_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    ch.compile(FOLDER / "copy_tensor.cpp", [])


def compile_into_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CHIPHOST_CACHE_DIR", str(tmp_path / "file"))
    ch.compile(FOLDER / "copy_tensor.cpp", [])


def unknown_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog.find(SCENES, "no_such_scene")


def unknown_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ch.ChipWorker("no_such_runtime")


def unknown_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ch.ChipWorker(RUNTIME, "z80sim")


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(
    ("attempt", "name"),
    [
        (compile_broken, "COMPILE_FAILED"),
        (compile_without_a_compiler, "COMPILER_MISSING"),
        (compile_into_a_file, "CACHE_UNUSABLE"),
        (unknown_scene, "SCENE_UNKNOWN"),
        (unknown_runtime, "RUNTIME_UNKNOWN"),
        (unknown_platform, "PLATFORM_UNKNOWN"),
    ],
)
def test_workers_go_on_after(
    attempt: Callable[[Path, pytest.MonkeyPatch], None],
    name: str,
    platform: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ch.ChipWorker(RUNTIME, platform) as worker, ch.ChipWorker("tensormap_and_ringbuffer", platform) as other:
        run_scene(worker)
        run_scene(other)
        with pytest.raises(ch.ChiphostError) as caught:
            attempt(tmp_path, monkeypatch)
        assert caught.value.name == name
        goes_on(worker, other)

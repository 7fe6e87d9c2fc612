# SPDX-License-Identifier: Apache-2.0
"""The scenes of a folder: found by name, chosen by platform, runtime and text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from throwaway_scenes import RUNTIME, write_scenes

from chiphost.errors import SceneError
from chiphost.scenes import catalog


def test_select_knows_platform_runtime_and_text(tmp_path: Path) -> None:
    write_scenes(tmp_path, "passes", "invalid", "other_platform")

    def names(**limits: Any) -> list[str]:
        return [entry.name.partition("/")[2] for entry in catalog.select(tmp_path, **limits)]

    assert names(platform="a2a3sim") == names(platform="a5sim") == ["invalid", "other_platform", "passes"]
    assert names(platform="a5sim", runtime=RUNTIME, text="PASS") == ["passes"]
    for limits, reason in (
        ({"platform": "a9"}, "PLATFORM_UNKNOWN"),
        ({"platform": "a5sim", "runtime": "nope"}, "RUNTIME_UNKNOWN"),
        ({"platform": "a5sim", "text": "nope"}, "SCENE_UNKNOWN"),
    ):
        with pytest.raises(SceneError, match=reason):
            names(**limits)


def test_find_takes_full_and_short_names(tmp_path: Path) -> None:
    write_scenes(tmp_path, "passes", twice="passes")
    (tmp_path / "other").mkdir()
    (tmp_path / RUNTIME / "twice").rename(tmp_path / "other" / "twice")
    write_scenes(tmp_path, twice="passes")
    assert catalog.find(tmp_path, "passes").name == f"{RUNTIME}/passes"
    assert catalog.find(tmp_path, f"{RUNTIME}/passes").name == f"{RUNTIME}/passes"
    assert catalog.find(tmp_path, "twice", runtime="other").name == "other/twice"
    with pytest.raises(SceneError, match=r"may be host_build_graph/twice, other/twice"):
        catalog.find(tmp_path, "twice")
    with pytest.raises(SceneError, match="did you mean 'passes'"):
        catalog.find(tmp_path, "pases")


def test_the_folder_of_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenes_root: Path) -> None:
    monkeypatch.delenv("CHIPHOST_SCENES_DIR", raising=False)
    names = {folder.name for folder in (catalog.scenes_dir() / RUNTIME).iterdir()}
    assert names >= {folder.name for folder in (scenes_root / RUNTIME).iterdir()}
    monkeypatch.setenv("CHIPHOST_SCENES_DIR", str(tmp_path))
    assert catalog.scenes_dir() == tmp_path
    assert catalog.scenes_dir(scenes_root) == scenes_root
    with pytest.raises(SceneError, match="there is no such folder"):
        catalog.scenes_dir(tmp_path / "nope")

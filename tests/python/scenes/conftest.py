# SPDX-License-Identifier: Apache-2.0
"""A scene for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from described_scene import write_scene

from chiphost.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene.load(write_scene(tmp_path))

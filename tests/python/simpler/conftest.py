# SPDX-License-Identifier: Apache-2.0
"""Scenes in simpler's form for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import simpler_scenes
from simpler_scenes import RUNTIMES


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a checkout of simpler, with a scene for each runtime."""
    monkeypatch.setenv("PTO_ISA_ROOT", str(simpler_scenes.pto_isa(tmp_path / "pto-isa")))
    monkeypatch.delenv("PTO_ISA_COMMIT", raising=False)
    folder = tmp_path / "simpler"
    for runtime in RUNTIMES:
        simpler_scenes.write(folder, runtime)
    return folder

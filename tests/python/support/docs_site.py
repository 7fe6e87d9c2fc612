# SPDX-License-Identifier: Apache-2.0
"""The docs as a site: what it takes to build it, and the build."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

BUILD_SECONDS_MAX = 60
PACKAGES = ("sphinx", "myst_parser", "furo", "sphinx_copybutton", "tree_sitter", "tree_sitter_cpp")

needs_packages = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in PACKAGES),
    reason="the site needs more packages: pip install '.[docs]'",
)


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Build the site strictly."""
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(source), str(target)]
    return subprocess.run(command, capture_output=True, text=True, timeout=10 * BUILD_SECONDS_MAX)

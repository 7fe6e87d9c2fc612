# SPDX-License-Identifier: Apache-2.0
"""CMake for the tests of this folder."""

from __future__ import annotations

import pytest
from cmake_tools import tool


@pytest.fixture(scope="session")
def cmake() -> str:
    return tool("cmake")

# SPDX-License-Identifier: Apache-2.0
"""A library that several tests of this folder isolate; some tests have one of their own."""

from __future__ import annotations

from pathlib import Path

import c_libraries
import pytest
from sample_library import SOURCE, STRATEGIES

from chiphost import isolate


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return c_libraries.build(SOURCE, tmp_path_factory.mktemp("isolate") / "sample.so")


@pytest.fixture(params=STRATEGIES)
def library(path, request):
    with isolate.open(path, request.param) as opened:
        yield opened


@pytest.fixture
def copy(path):
    with isolate.open(path, "copy") as opened:
        yield opened

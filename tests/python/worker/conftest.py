# SPDX-License-Identifier: Apache-2.0
"""Workers that tests of this folder share."""

from __future__ import annotations

import pytest
from callables import RUNTIME

import chiphost as ch


@pytest.fixture(params=["namespace", "copy"])
def worker(request: pytest.FixtureRequest):
    with ch.ChipWorker(RUNTIME, "a2a3sim", isolation=request.param) as made:
        yield made

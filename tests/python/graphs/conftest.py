# SPDX-License-Identifier: Apache-2.0
"""Workers of the runtimes whose orchestration runs on the AICPU, two of a kind."""

from __future__ import annotations

import pytest
from callables import PLATFORMS
from device_programs import PAIRS, TMR

import chiphost as ch


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def workers(request: pytest.FixtureRequest):
    """Two of a kind: one that fails, one that must not notice."""
    with ch.ChipWorker(*request.param) as first, ch.ChipWorker(*request.param) as second:
        yield first, second


@pytest.fixture(scope="module", params=PLATFORMS)
def tmr_workers(request: pytest.FixtureRequest):
    """Like `workers`, for the runtime that infers edges, and starts tasks before the orchestration has returned."""
    with ch.ChipWorker(TMR, request.param) as first, ch.ChipWorker(TMR, request.param) as second:
        yield first, second

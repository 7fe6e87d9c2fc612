# SPDX-License-Identifier: Apache-2.0
"""The processors that this process may use: those of its affinity, where the system has such a thing."""

from __future__ import annotations

import os

import pytest

from chiphost._system.cpus import usable_cpus


def test_those_of_the_affinity_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {1, 3, 5}, raising=False)
    assert usable_cpus() == 3


def test_all_count_where_there_is_no_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    for known, expected in ((64, 64), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda known=known: known)
        assert usable_cpus() == expected

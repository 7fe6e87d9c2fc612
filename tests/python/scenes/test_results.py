# SPDX-License-Identifier: Apache-2.0
"""The results of scenes: a scene has passed, has failed or was skipped."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from chiphost.scenes.results import CaseResult, SceneResult, Settings, Watcher

CASE = CaseResult("default", True, 0.5, None, 4, 1)
PASSED = SceneResult("r/s", "a2a3sim", "r", True, 0.5, None, 7, (CASE,))


@pytest.mark.parametrize(
    ("passed", "skipped", "failed"), [(True, None, False), (False, None, True), (False, "not for here", False)]
)
def test_what_neither_passed_nor_was_skipped_has_failed(passed, skipped, failed):
    assert dataclasses.replace(PASSED, passed=passed, skipped=skipped).failed == failed


def test_results_go_to_another_process_and_are_equal_there():
    assert pickle.loads(pickle.dumps(PASSED)) == PASSED


def test_each_run_has_a_deadline_of_its_own():
    one, other = Settings("a2a3sim"), Settings("a2a3sim")
    assert one.deadline is not other.deadline


def test_a_watcher_need_not_hear_of_everything():
    watcher = Watcher()
    assert watcher.compiled(1, 2, "kernel") is watcher.started("r/s") is watcher.ended(PASSED) is None
    assert watcher.interrupted(PASSED) is None

# SPDX-License-Identifier: Apache-2.0
"""Exceptions as objects: what they carry, here and in another process."""

from __future__ import annotations

import copy
import pickle

import pytest

from chiphost import errors


@pytest.mark.parametrize("name", sorted(errors.CODES))
@pytest.mark.parametrize(
    "through", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))], ids=["copy", "pickle"]
)
def test_a_copy_of_an_error_is_like_it(name, through):
    error = errors.make_error(name, "text", "place", hint="do this")
    error.task = 3
    again = through(error)
    assert type(again) is type(error)
    assert (again.args, str(again), vars(again)) == (error.args, str(error), vars(error))

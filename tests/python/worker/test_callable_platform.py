# SPDX-License-Identifier: Apache-2.0
"""A callable knows the platform it was compiled for, and runs nowhere else."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
from callables import FOLDER, PLATFORMS, RUNTIME, copy_tensor, show_scalars

import chiphost as ch


def test_a_callable_runs_on_its_own_platform_only():
    for platform in PLATFORMS:
        made = ch.compile(FOLDER / "show_scalars.cpp", [], platform=platform)
        assert made.platform == made.orchestration.platform == platform
        for other in PLATFORMS:
            words = np.zeros(1, np.uint64)
            with ch.ChipWorker(RUNTIME, other) as worker:
                if other == platform:
                    worker.run(made, [words, 7])
                    assert words.tolist() == [7]
                    continue
                with pytest.raises(ch.ArgumentError) as caught:
                    worker.run(made, [words, 7])
            assert f"compiled for {platform}, and the worker is {other}" in caught.value.message
            assert caught.value.hint == f"compile it with platform={other!r}"
            assert words.tolist() == [0]


def test_the_platform_survives_pickling_and_decides_the_key():
    made = copy_tensor()
    again = pickle.loads(pickle.dumps(made))
    assert (again.platform, again.key) == (made.platform, made.key)
    binary = made.orchestration
    keys = {ch.ChipCallable(dataclasses.replace(binary, platform=platform), []).key for platform in (None, *PLATFORMS)}
    assert len(keys) == 3


def test_parts_for_two_platforms_make_no_callable():
    kernel = dataclasses.replace(copy_tensor().kernels[0][2], platform="a5sim")
    with pytest.raises(ch.ArgumentError, match="show_scalars is compiled for a2a3sim, copy_bytes for a5sim"):
        ch.ChipCallable(show_scalars().orchestration, [(0, "aiv", kernel)])


def test_a_binary_of_unknown_platform_fits_everywhere():
    binary = dataclasses.replace(show_scalars().orchestration, platform=None)
    for platform in PLATFORMS:
        words = np.zeros(1, np.uint64)
        with ch.ChipWorker(RUNTIME, platform) as worker:
            worker.run(ch.ChipCallable(binary, []), [words, 7])
        assert words.tolist() == [7]

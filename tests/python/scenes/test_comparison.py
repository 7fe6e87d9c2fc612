# SPDX-License-Identifier: Apache-2.0
"""A scene's comparison of a run's results with its golden result."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from described_scene import RETURN, finished, write_scene

from chiphost.errors import SceneError
from chiphost.scene import Scene, copy_args


def check(scene: Scene, before: dict[str, Any], after: dict[str, Any]) -> str:
    """The message of a check that fails."""
    with pytest.raises(SceneError) as caught:
        scene.check("default", before, after)
    assert caught.value.name == "GOLDEN_MISMATCH"
    assert caught.value.where == "some_runtime/sum, case 'default'"
    return caught.value.message


def test_check_accepts_the_right_result(scene):
    for case in scene.cases:
        before = scene.make_args(case, seed=5)
        scene.check(case, before, finished(scene, before))


def test_check_accepts_the_tolerance_and_no_more(tmp_path):
    scene = Scene.load(write_scene(tmp_path, change=('args["a"] + args["n"]', "np.full((3, 2), 10.0)")))
    before = scene.make_args()
    after = finished(scene, before)
    after["b"][:] = [[10, 10.19], [9.81, 10], [10, 10]]  # 0.1 + 0.01 * 10
    scene.check("default", before, after)
    after["b"][1, 1] = 10.21
    assert check(scene, before, after) == (
        "b: 1 of 6 elements differ (rtol 0.01, atol 0.1)\n  worst [1, 1]: expected 10, got 10.21, difference 0.21"
    )


def test_check_shows_the_worst_and_the_first(tmp_path):
    scene = Scene.load(write_scene(tmp_path, change=('args["a"] + args["n"]', "np.zeros((3, 2))")))
    before = scene.make_args()
    after = finished(scene, before)
    after["b"][:] = [[0, 1], [2, 3], [-4, 3]]
    assert check(scene, before, after) == (
        "b: 5 of 6 elements differ (rtol 0.01, atol 0.1)\n"
        "  worst [2, 0]: expected 0, got -4, difference 4\n"
        "  first [0, 1]: expected 0, got 1, difference 1\n"
        "  first [1, 0]: expected 0, got 2, difference 2\n"
        "  first [1, 1]: expected 0, got 3, difference 3\n"
        "  first [2, 0]: expected 0, got -4, difference 4"
    )


def test_check_shows_every_output(scene):
    before = scene.make_args()
    message = check(scene, before, copy_args(before))
    assert "b: 6 of 6 elements differ" in message
    assert "c: 4 of 4 elements differ" in message


def test_check_compares_integers_exactly(scene):
    before = scene.make_args()
    after = finished(scene, before)
    after["c"][2] = 4
    assert check(scene, before, after) == (
        "c: 1 of 4 elements differ (compared exactly)\n  worst [2]: expected 3, got 4, difference 1"
    )


def test_check_compares_large_integers_exactly(tmp_path):
    change = ('InOut("c", "int32", (4,))', 'InOut("c", "int64", ())')
    folder = write_scene(tmp_path, change=change)
    text = (folder / "scene.py").read_text()
    text = text.replace("np.arange(4, dtype=np.int32)", "np.array(1 << 62)")
    (folder / "scene.py").write_text(text.replace('args["c"] + 1', 'np.asarray(args["c"] + 1)'))
    scene = Scene.load(folder)
    before = scene.make_args()
    message = check(scene, before, finished(scene, before) | {"c": before["c"].copy()})
    assert "worst []: expected 4611686018427387905, got 4611686018427387904" in message


@pytest.mark.parametrize("dtype", [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)])
@pytest.mark.parametrize("value", [0, 1, 100])
def test_no_tolerance_is_for_integers(tmp_path, dtype, value):
    """Off by one is wrong, whatever rtol and atol would allow, also for unsigned integers."""
    folder = write_scene(tmp_path, change=('InOut("c", "int32", (4,))', f'InOut("c", "{dtype}", (4,))'))
    text = (folder / "scene.py").read_text()
    text = text.replace("np.arange(4, dtype=np.int32)", f'np.full(4, {value}, "{dtype}")')
    text = text.replace('args["c"] + 1', 'args["c"]').replace("rtol=0.01", "rtol=1e9").replace("atol=0.1", "atol=1e9")
    (folder / "scene.py").write_text(text)
    scene = Scene.load(folder)
    assert (scene.rtol, scene.atol) == (1e9, 1e9)
    before = scene.make_args()
    right = finished(scene, before) | {"c": before["c"].copy()}
    scene.check("default", before, right)
    for index in range(4):
        wrong = copy_args(right)
        wrong["c"][index] = value + 1
        message = check(scene, before, wrong)
        assert f"c: 1 of 4 elements differ (compared exactly)\n  worst [{index}]: expected" in message


@pytest.mark.parametrize(
    ("want", "got", "right"),
    [
        ("nan", "nan", True),
        ("nan", "1", False),
        ("1", "nan", False),
        ("inf", "inf", True),
        ("inf", "-inf", False),
        ("inf", "1", False),
        ("1", "inf", False),
        ("-inf", "-inf", True),
        ("1e300", "inf", False),
    ],
)
def test_check_knows_nan_and_infinity(tmp_path, want, got, right):
    scene = Scene.load(write_scene(tmp_path, change=('args["a"] + args["n"]', f"np.full((3, 2), float('{want}'))")))
    before = scene.make_args()
    after = finished(scene, before)
    after["b"][:] = float(got)
    if right:
        scene.check("default", before, after)
    else:
        message = check(scene, before, after)
        assert f"worst [0, 0]: expected {float(want):g}, got {float(got):g}" in message


def test_check_calls_nan_worse_than_any_number(scene):
    before = scene.make_args()
    after = finished(scene, before)
    after["b"][0, 1] = 1e30
    after["b"][2, 1] = math.nan
    assert "worst [2, 1]" in check(scene, before, after)


def test_check_notices_a_changed_input(scene):
    before = scene.make_args()
    after = finished(scene, before)
    after["a"][1, 1] = np.nextafter(after["a"][1, 1], np.float32(2))
    assert check(scene, before, after) == "a is an input, but the run changed it"


def test_check_accepts_an_input_with_nan(tmp_path):
    change = ("rng.random((3, 2), np.float32)", "np.full((3, 2), np.nan, np.float32)")
    scene = Scene.load(write_scene(tmp_path, change=change))
    before = scene.make_args()
    scene.check("default", before, finished(scene, before))


def test_check_notices_another_shape_or_dtype(scene):
    before = scene.make_args()
    after = finished(scene, before)
    after["b"] = after["b"].reshape(2, 3)
    after["c"] = after["c"].astype(np.int64)
    assert check(scene, before, after) == (
        "b was an array of float32 with shape (3, 2) before the run "
        "and is an array of float32 with shape (2, 3) after it\n"
        "c was an array of int32 with shape (4,) before the run "
        "and is an array of int64 with shape (4,) after it"
    )


def test_check_compares_narrow_floats(tmp_path):
    folder = write_scene(tmp_path, change=("np.float32", "np.dtype('bfloat16')"))
    text = (folder / "scene.py").read_text().replace('"float32"', '"bfloat16"')
    (folder / "scene.py").write_text(text.replace("rng.random((3, 2), ", "rng.random((3, 2)).astype("))
    scene = Scene.load(folder)
    before = scene.make_args()
    after = copy_args(before)
    after["b"][:] = before["a"] + ml_dtypes.bfloat16(before["n"])
    after["c"] += 1
    scene.check("default", before, after)
    after["b"][0, 0] = 3
    assert "got 3, difference" in check(scene, before, after)


def test_golden_sees_float64_inputs_and_no_outputs(tmp_path):
    code = (
        "assert list(args) == ['a', 'c', 'n']\n"
        "    assert args['a'].dtype == np.float64 and args['c'].dtype == np.int32\n"
        "    assert args['n'] == float(np.float32(0.1)) != 0.1\n"
        "    args['a'][:] = args['c'][:] = 0\n"  # copies: the caller's arrays stay as they are
        "    return {'b': args['a'], 'c': args['c']}"
    )
    scene = Scene.load(write_scene(tmp_path, change=(RETURN, code)))
    before = scene.make_args()
    kept = copy_args(before)
    expected = scene.expected("default", before)
    assert not expected["b"].any() and not expected["c"].any()
    assert all(np.array_equal(before[name], kept[name]) for name in kept)

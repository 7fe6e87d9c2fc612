# SPDX-License-Identifier: Apache-2.0
"""The scenes whose orchestration runs on the AICPU, without a worker: are their golden results right, and strict?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from checkout import SCENES

from chiphost.errors import SceneError
from chiphost.scene import Scene, copy_args

ABG, TMR = "aicpu_build_graph", "tensormap_and_ringbuffer"
NAMES = [name for name, _ in Scene.discover(SCENES) if name.startswith((ABG, TMR))]
Args = dict[str, Any]


def load(name: str) -> Scene:
    return Scene.load(SCENES / name)


CASES = [(name, case) for name in NAMES for case in load(name).cases]


# Another computation of each golden result: from the inputs, in the order of the program, or element by element.


def vector_with(extra: float) -> Any:
    def vector(args: Args, case: Args) -> Args:
        sums = [float(a) + float(b) for a, b in zip(args["a"], args["b"], strict=True)]
        return {"f": np.array([(s + 1) * (s + 2) + extra * s for s in sums])}

    return vector


def bgemm(args: Args, case: Args) -> Args:
    """Computes by whole matrices, not tiles."""

    def whole(tiled: np.ndarray, matrix: int) -> np.ndarray:
        return np.block([[tile.astype(np.float64) for tile in row] for row in tiled[matrix]])

    c = args["c"].astype(np.float64)
    for matrix in range(case["batch"]):
        product = whole(args["a"], matrix) @ whole(args["b"], matrix)
        for row in range(case["m"]):
            for column in range(case["n"]):
                c[matrix, row, column] += product[64 * row : 64 * row + 64, 64 * column : 64 * column + 64]
    return {"c": c}


def explicit_edges(args: Args, case: Args) -> Args:
    x = args["x"].astype(object)
    for step in range(case["steps"]):
        x = (3 * x + args["addends"][:, step, None].astype(object)) % 2**32
    total = sum((row + 1) * x[row] for row in range(case["rows"])) % 2**32
    return {"x": x.astype(np.uint32), "total": total.astype(np.uint32)}


def mixed_example(args: Args, case: Args) -> Args:
    product = sum(np.outer(args["a"][:, k].astype(float), args["b"][k].astype(float)) for k in range(128))
    total, by_element = np.empty((128, 128)), np.empty((128, 128))
    for at in np.ndindex(128, 128):
        total[at] = float(args["d"][at]) + float(args["e"][at])
        by_element[at] = float(args["g"][at]) * float(args["h"][at])
    results = {"cjn": product, "fklo": total, "im": by_element}
    return {name: np.stack([result] * case["slices"]) for names, result in results.items() for name in names}


def attention(args: Args, case: Args) -> Args:
    """Computes by loops over tokens."""
    query, size = args["query"].astype(np.float64), case["block_size"]
    group = case["heads"] // case["kv_heads"]
    out = np.empty(query.shape)
    scale = float(np.float32(args["scale"]))
    for request, head in np.ndindex(query.shape[:2]):
        total, sums = 0.0, np.zeros(query.shape[2])
        for token in range(args["context_lens"][request]):
            at = (args["block_table"][request, token // size], token % size, head // group)
            weight = math.exp(scale * float(query[request, head] @ args["key_cache"][at].astype(np.float64)))
            total += weight
            sums += weight * args["value_cache"][at].astype(np.float64)
        out[request, head] = sums / total
    return {"out": out}


def element_access(args: Args, case: Args) -> Args:
    """Computes statement by statement."""
    a, b = args["a"].astype(np.float64), args["b"].astype(np.float64)
    c = a + b
    check = [a[3], c[0], c[100], 77, 77, 42, 10 + a[-1]]
    before = c + b
    c[-2] = 88
    b[5] = 55
    check += [c[-2], b[5], c[128 + 9] + check[5]]
    return {"b": b, "before": before, "after": c + b, "check": np.array(check)}


def small_rings(args: Args, case: Args) -> Args:
    x = args["x"].astype(object)
    for step in range(case["steps"]):
        x = ((2 * step + 3) * x + 2 * (step + 1)) % 2**32
    return {"x": x.astype(np.uint32)}


def wide_fan_in(args: Args, case: Args) -> Args:
    total = sum((part + 1) * 2 * args["x"].astype(np.float64) for part in range(case["parts"]))
    return {"total": np.stack([total, total])}


def overlapping_writers(args: Args, case: Args) -> Args:
    """Computes box after box."""
    picture = np.full(args["picture"].shape, int(args["colors"][0, 0]), object)
    for (row, column, rows, columns, mixes), color in zip(args["boxes"], args["colors"][1:, 0], strict=True):
        box = picture[row : row + rows, column : column + columns]
        box[...] = (3 * box + int(color)) % 2**32 if mixes else int(color)
    wall = np.empty(args["wall"].shape, np.uint32)
    for tile in range(case["tiles"]):
        wall[:, tile] = args["tile_colors"][tile, 0]
    whole = np.full(wall.shape, args["tile_colors"][case["tiles"], 0], np.uint32)
    return {"picture": picture.astype(np.uint32), "wall": whole, "photo": wall}


def write_after_read(args: Args, case: Args) -> Args:
    x = args["x"].astype(np.float64)
    results = np.empty(args["results"].shape)
    for round_ in range(case["rounds"]):
        for band in range(case["bands"]):
            rows = x[band * case["band_rows"] : (band + 1) * case["band_rows"]]
            results[round_, band] = (band + 1) * rows - rows[0, 0]
        x = args["sources"][round_].astype(np.float64)
    return {"x": x, "results": results}


def hand_over(args: Args, case: Args) -> Args:
    y = args["x"].astype(np.float64)
    for _ in range(2):
        y = (3 * y + 1) - y * y
    return {"out": y}


def spmd_basic(args: Args, case: Args) -> Args:
    lines = [[0, 1, 0], [0, 1, 0], [0, 1, 1]]  # block_idx, block_num, sub_block_id of AIC, AIV0, AIV1
    return {"output": np.array([line + [0] * 13 for line in lines], np.float64)}


def spmd_multiblock(cores: int) -> Any:
    def spmd(args: Args, case: Args) -> Args:
        lines = []
        for blocks in args["block_nums"]:
            for block in range(blocks):
                lines += [[block, blocks, 1 if core == 2 else 0] + [0] * 13 for core in range(cores)]
        return {"output": np.array(lines, np.float64)}

    return spmd


def block_dims(args: Args, case: Args) -> Args:
    lines = []
    for kind, blocks in args["tasks"]:
        for block in range(blocks):
            cores = {0: "C", 1: "V", 2: "CVV"}[int(kind)]
            lines += [[block, blocks, core == "V", 2] + [0] * 12 for core in cores]
    return {"lines": np.array(lines, np.float64), "clusters": np.array([case["block_dim"]])}


def several_callables(args: Args, case: Args) -> Args:
    x, w, bias, v = (args[name].astype(np.float64) for name in ("x", "w", "bias", "v"))
    hidden = np.array([[max(float(row @ w[:, j]) + bias[j], 0.0) for j in range(len(bias))] for row in x])
    out = np.array([[sum(row * v[:, j]) for j in range(v.shape[1])] for row in hidden])
    return {"hidden": hidden, "out": out}


ANOTHER = {
    f"{ABG}/bgemm": bgemm,
    f"{ABG}/explicit_edges": explicit_edges,
    f"{ABG}/vector_example": vector_with(0),
    f"{TMR}/batch_paged_attention": attention,
    f"{TMR}/bgemm": bgemm,
    f"{TMR}/bgemm_mix": bgemm,
    f"{TMR}/block_dims": block_dims,
    f"{TMR}/element_access": element_access,
    f"{TMR}/hand_over": hand_over,
    f"{TMR}/mixed_example": mixed_example,
    f"{TMR}/multi-round-paged-attention": attention,
    f"{TMR}/overlapping_writers": overlapping_writers,
    f"{TMR}/paged_attention": attention,
    f"{TMR}/several_callables": several_callables,
    f"{TMR}/small_rings": small_rings,
    f"{TMR}/spmd_basic": spmd_basic,
    f"{TMR}/spmd_multiblock_aiv": spmd_multiblock(1),
    f"{TMR}/spmd_multiblock_mix": spmd_multiblock(3),
    f"{TMR}/vector_example": vector_with(1),
    f"{TMR}/wide_fan_in": wide_fan_in,
    f"{TMR}/write_after_read": write_after_read,
}


@pytest.mark.parametrize(("name", "case"), CASES)
def test_golden_is_right(name, case):
    scene = load(name)
    args = scene.make_args(case, seed=2)
    golden = scene.expected(case, args)
    another = ANOTHER[name](args, scene.cases[case])
    assert golden.keys() == another.keys()
    for output, want in another.items():
        if golden[output].dtype.kind in "biu":
            assert np.array_equal(golden[output], want), output
        else:
            np.testing.assert_allclose(golden[output], want, rtol=1e-10, atol=1e-10, err_msg=output)


@pytest.mark.parametrize(("name", "case"), CASES)
def test_one_wrong_element_is_noticed(name, case):
    scene = load(name)
    before = scene.make_args(case)
    expected = scene.expected(case, before)
    right = copy_args(before)
    for output, value in expected.items():
        right[output][...] = value
    scene.check(case, before, right, expected)
    for output in expected:
        wrong = copy_args(right)
        flat = wrong[output].reshape(-1)
        middle = len(flat) // 2
        flat[middle] = flat[middle] * 1.01 + 1 if flat.dtype.kind == "f" else flat[middle] + 1
        with pytest.raises(SceneError, match=f"{output}: 1 of {len(flat)} elements differ"):
            scene.check(case, before, wrong, expected)


ATTENTION = {"query": 1, "key_cache": 1, "value_cache": 1, "block_table": 1, "context_lens": -1, "scale": 0.1}
# Each scene has a case in which every input matters, numbers to add to the last element of an input, and inputs that
# only say how the graph is made.
SENSITIVE: dict[str, tuple[str, dict[str, float], set[str]]] = {
    f"{ABG}/bgemm": ("rectangular", {"a": 0.1, "b": 0.1, "c": 0.1}, set()),
    f"{ABG}/explicit_edges": ("default", {"x": 1, "addends": 1}, {"hold"}),
    f"{ABG}/vector_example": ("random", {"a": 0.1, "b": 0.1}, set()),
    f"{TMR}/batch_paged_attention": ("mixed", ATTENTION, set()),
    f"{TMR}/bgemm": ("rectangular", {"a": 0.1, "b": 0.1, "c": 0.1}, set()),
    f"{TMR}/bgemm_mix": ("rectangular", {"a": 0.1, "b": 0.1, "c": 0.1}, set()),
    f"{TMR}/block_dims": ("7", {}, {"tasks", "lines"}),
    f"{TMR}/element_access": ("small", {"a": 0.1, "b": 0.1}, set()),
    f"{TMR}/hand_over": ("default", {"x": 0.1}, {"blocks"}),
    f"{TMR}/mixed_example": ("large_values", dict.fromkeys("abdegh", 0.1), set()),
    f"{TMR}/multi-round-paged-attention": ("mixed", ATTENTION, set()),
    f"{TMR}/overlapping_writers": ("mixed", {"boxes": -1, "colors": 1, "tile_colors": 1}, set()),
    f"{TMR}/paged_attention": ("mixed", ATTENTION, set()),
    f"{TMR}/several_callables": ("default", dict.fromkeys(("x", "w", "bias", "v"), 0.5), set()),
    f"{TMR}/small_rings": ("flat", {"x": 1}, {"steps", "nested"}),
    f"{TMR}/spmd_basic": ("default", {}, set()),
    f"{TMR}/spmd_multiblock_aiv": ("odd", {}, {"block_nums", "chained"}),
    f"{TMR}/spmd_multiblock_mix": ("odd", {}, {"block_nums", "chained"}),
    f"{TMR}/vector_example": ("random", {"a": 0.1, "b": 0.1}, set()),
    f"{TMR}/wide_fan_in": ("default", {"x": 0.1}, {"parts"}),
    f"{TMR}/write_after_read": ("default", {"x": 0.1, "sources": 0.1}, set()),
}


def test_every_scene_and_every_input_is_listed():
    assert [*SENSITIVE] == [*ANOTHER] == NAMES
    for name, (_, changes, structure) in SENSITIVE.items():
        inputs = {arg.name for arg in load(name).signature if arg.kind != "out"}
        assert inputs == changes.keys() | structure, name


@pytest.mark.parametrize(("name", "arg"), [(name, arg) for name, (_, args, _) in SENSITIVE.items() for arg in args])
def test_golden_depends_on_every_input(name, arg):
    """A run on an input that is slightly wrong must not pass for right."""
    scene = load(name)
    case, changes, _ = SENSITIVE[name]
    before, wrong = scene.make_args(case), scene.make_args(case)
    if arg == "scale":
        wrong[arg] += changes[arg]
    elif arg == "block_table":
        wrong[arg][:] = np.roll(wrong[arg], 1, axis=0)
    else:
        flat = wrong[arg].reshape(-1)
        flat[-1] += np.asarray(changes[arg]).astype(flat.dtype)
        if arg in ("key_cache", "value_cache"):  # not every block of the cache is used
            wrong[arg][:] = np.roll(wrong[arg], 1, axis=1)
    after = copy_args(before)
    for output, value in scene.expected(case, wrong).items():
        after[output][...] = value
    with pytest.raises(SceneError, match="elements differ"):
        scene.check(case, before, after)

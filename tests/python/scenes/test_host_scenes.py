# SPDX-License-Identifier: Apache-2.0
"""The scenes of host_build_graph, without a worker: are their golden results right, and strict?"""

from __future__ import annotations

import math
import random
import shutil
from types import MappingProxyType

import numpy as np
import pytest
from checkout import SCENES
from host_graph_interpreter import HostGraphInterpreter

from chiphost.errors import SceneError
from chiphost.scene import Scene, copy_args

NAMES = ["bgemm", "matmul", "paged_attention", "vector_example"]
CASES = [
    ("bgemm", "default"),
    ("bgemm", "rectangular"),
    ("matmul", "default"),
    ("matmul", "random"),
    ("paged_attention", "Case1"),
    ("paged_attention", "Case2"),
    ("paged_attention", "mixed"),
    ("vector_example", "default"),
    ("vector_example", "random"),
]


def load_ours(name: str) -> Scene:
    return Scene.load(SCENES / "host_build_graph" / name)


def test_discover_finds_our_scenes():
    found = dict(Scene.discover(SCENES))
    for name in NAMES:
        assert found[f"host_build_graph/{name}"] == SCENES / "host_build_graph" / name


def test_every_case_of_every_scene_is_listed():
    assert [(name, case) for name in NAMES for case in load_ours(name).cases] == CASES


@pytest.mark.parametrize(("name", "case"), CASES)
def test_inputs_are_reproducible(name, case):
    first, again, other = (load_ours(name).make_args(case, seed) for seed in (3, 3, 4))
    assert all(np.array_equal(first[key], again[key], equal_nan=True) for key in first)
    is_constant = (name, case) in [("matmul", "default"), ("vector_example", "default")]
    assert is_constant == all(np.array_equal(first[key], other[key], equal_nan=True) for key in first)


def test_vector_example_has_the_known_value():
    scene = load_ours("vector_example")
    assert (scene.expected("default", scene.make_args())["f"] == 42).all()


def test_matmul_has_the_known_value():
    scene = load_ours("matmul")
    f = scene.expected("default", scene.make_args())["f"]
    np.testing.assert_allclose(f, math.e**2, rtol=1e-4)


def test_golden_of_vector_example_is_right():
    scene = load_ours("vector_example")
    args = scene.make_args("random")
    f = scene.expected("random", args)["f"]
    for i in (0, 1, 16383):
        a, b = float(args["a"][i]), float(args["b"][i])
        assert f[i] == pytest.approx((a + b + 1) * (a + b + 2), rel=1e-14)


def test_golden_of_bgemm_is_right():
    """The result is compared with whole matrices, not tiles."""
    scene = load_ours("bgemm")
    args = scene.make_args("rectangular")
    tiles = scene.expected("rectangular", args)["c"]

    def whole(tiled: np.ndarray, matrix: int) -> np.ndarray:
        return np.block([[tile.astype(np.float64) for tile in row] for row in tiled[matrix]])

    for matrix in range(2):
        want = whole(args["a"], matrix) @ whole(args["b"], matrix)
        np.testing.assert_allclose(whole(tiles, matrix), want, rtol=1e-10, atol=1e-10)


def test_golden_of_matmul_is_right():
    scene = load_ours("matmul")
    args = scene.make_args("random")
    f = scene.expected("random", args)["f"]
    a, w1, w2 = (args[name].tolist() for name in ("a", "w1", "w2"))
    for i, j in ((0, 0), (5, 127), (127, 64)):
        exponent = sum(math.sqrt(math.log(a[i][k])) * (w1[k][j] + w2[k][j]) for k in range(128))
        assert f[i, j] == pytest.approx(math.exp(exponent), rel=1e-12)


@pytest.mark.parametrize("case", ["Case2", "mixed"])
def test_golden_of_paged_attention_is_right(case):
    """The result is compared with loops over single numbers."""
    scene = load_ours("paged_attention")
    args = scene.make_args(case)
    out = scene.expected(case, args)["out"]
    group = args["query"].shape[1] // args["key_cache"].shape[2]
    for request in range(len(args["context_lens"])):
        for head in (0, 7, 8, 15):
            total, sums = 0.0, [0.0] * args["query"].shape[2]
            for token in range(args["context_lens"][request]):
                block, row = args["block_table"][request, token // 16], token % 16
                key = args["key_cache"][block, row, head // group].tolist()
                value = args["value_cache"][block, row, head // group].tolist()
                query = args["query"][request, head].tolist()
                weight = math.exp(args["scale"] * sum(q * k for q, k in zip(query, key, strict=True)))
                total += weight
                sums = [s + weight * v for s, v in zip(sums, value, strict=True)]
            assert out[request, head] == pytest.approx([s / total for s in sums], rel=1e-10, abs=1e-12)


# A case of each scene in which every input matters, and a change of an input.
SENSITIVE = [
    ("vector_example", "random", "a", 0.1),
    ("vector_example", "random", "b", 0.1),
    ("bgemm", "rectangular", "a", 0.1),
    ("bgemm", "rectangular", "b", 0.1),
    ("bgemm", "rectangular", "c", 0.1),
    ("matmul", "random", "a", 2),
    ("matmul", "random", "w1", 0.3),
    ("matmul", "random", "w2", 0.3),
    ("paged_attention", "mixed", "query", 1),
    ("paged_attention", "mixed", "key_cache", 1),
    ("paged_attention", "mixed", "value_cache", 1),
    ("paged_attention", "mixed", "block_table", 1),
    ("paged_attention", "mixed", "context_lens", -1),
    ("paged_attention", "mixed", "scale", 0.1),
]


@pytest.mark.parametrize(("name", "case", "arg", "change"), SENSITIVE)
def test_golden_depends_on_every_input(name, case, arg, change):
    """A run on an input that is slightly wrong must not pass for right."""
    scene = load_ours(name)
    before, wrong = scene.make_args(case), scene.make_args(case)
    if arg == "scale":
        wrong["scale"] += change
    elif arg == "block_table":
        wrong[arg][:] = np.roll(wrong[arg], 1, axis=0)
    else:
        flat = wrong[arg].reshape(-1)
        flat[-1] += np.asarray(change).astype(flat.dtype)
        if arg in ("key_cache", "value_cache"):  # not every block of the cache is used
            wrong[arg][:] = np.roll(wrong[arg], 1, axis=1)
    after = copy_args(before)
    for output, value in scene.expected(case, wrong).items():
        after[output][...] = value
    with pytest.raises(SceneError, match="elements differ"):
        scene.check(case, before, after)
    for output, value in scene.expected(case, before).items():
        after[output][...] = value
    scene.check(case, before, after)


@pytest.fixture(scope="session")
def interpreters(tmp_path_factory):
    if shutil.which("g++") is None:
        pytest.skip("needs a C++ compiler")
    return {name: HostGraphInterpreter(load_ours(name), tmp_path_factory.mktemp(name)) for name in NAMES}


TASKS = {
    ("vector_example", "default"): 4,
    ("vector_example", "random"): 4,
    ("bgemm", "default"): 128,
    ("bgemm", "rectangular"): 48,
    ("matmul", "default"): 4,
    ("matmul", "random"): 4,
    ("paged_attention", "Case1"): 4,
    ("paged_attention", "Case2"): 16,
    ("paged_attention", "mixed"): 56,  # 4 tasks * 2 tiles of heads * (4 + 3) blocks
}


@pytest.mark.parametrize("order", ["first", 1, 2, 3])
@pytest.mark.parametrize(("name", "case"), CASES)
def test_kernels_and_orchestration_give_the_golden_result(interpreters, name, case, order):
    scene = interpreters[name].scene
    before = scene.make_args(case, seed=0 if order == "first" else order)
    after = copy_args(before)
    graph = interpreters[name].run(after, None if order == "first" else random.Random(order))
    scene.check(case, before, after)
    assert len(graph.tasks) == TASKS[name, case]


def test_paged_attention_splits_many_heads_into_tiles(interpreters):
    scene = load_ours("paged_attention")
    scene.cases["wide"] = MappingProxyType(dict(scene.cases["mixed"]) | {"heads": 300, "head_dim": 8})
    before = scene.make_args("wide")
    after = copy_args(before)
    graph = interpreters["paged_attention"].run(after)
    scene.check("wide", before, after)
    assert len(graph.tasks) == 4 * 4 * (4 + 3)  # two groups of 150 heads: tiles of 128, 22, 128, 22


def test_the_interpreter_notices_a_missing_edge(tmp_path):
    folder = shutil.copytree(SCENES / "host_build_graph" / "vector_example", tmp_path / "host_build_graph" / "broken")
    source = folder / "orchestration.cpp"
    edge = "graph.add_successor(t1, t3);"
    assert edge in source.read_text()
    source.write_text(source.read_text().replace(edge, ""))
    scene = Scene.load(folder)
    interpreter = HostGraphInterpreter(scene, tmp_path)
    before = scene.make_args()
    wrong = 0
    for seed in range(8):
        after = copy_args(before)
        interpreter.run(after, random.Random(seed))
        wrong += np.isnan(after["f"]).all()
    assert 0 < wrong < 8


@pytest.mark.parametrize(("name", "case"), [("bgemm", "default"), ("paged_attention", "mixed")])
def test_every_order_gives_the_same_bytes(interpreters, name, case):
    """The graph leaves no two tasks that touch the same memory unordered."""
    results = set()
    for seed in range(6):
        args = interpreters[name].scene.make_args(case)
        interpreters[name].run(args, random.Random(seed))
        results.add(args["c" if name == "bgemm" else "out"].tobytes())
    assert len(results) == 1

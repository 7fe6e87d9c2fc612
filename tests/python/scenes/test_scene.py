# SPDX-License-Identifier: Apache-2.0
"""Scenes without a worker: their descriptions, their comparison, and the scenes of host_build_graph themselves."""

from __future__ import annotations

import hashlib
import math
import random
import shutil
import sys
import textwrap
from pathlib import Path
from types import MappingProxyType
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from checkout import SCENES
from host_graph_interpreter import HostGraphInterpreter

from chiphost.chip import Chip
from chiphost.errors import ArgumentError, SceneError
from chiphost.scene import Scene, copy_args, make_rng

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

SCENE_PY = """
    import numpy as np
    from chiphost.compiler import Kernel
    from chiphost.scene import Scene
    from chiphost.signature import In, InOut, Out, Scalar

    scene = Scene(
        description="b = a + n, c = c + 1",
        orchestration="orchestration.cpp",
        entry="build_graph",
        kernels=[Kernel(0, "kernel.cpp", "aiv")],
        signature=[
            In("a", "float32", (None, 2)),
            Out("b", "float32", (3, 2)),
            InOut("c", "int32", (4,)),
            Scalar("n", "float32"),
        ],
        config={"block_dim": 3},
        cases={"default": {"n": 0.1}, "other": {"n": 2}},
        rtol=0.01,
        atol=0.1,
    )

    @scene.inputs
    def inputs(case, rng):
        return {
            "n": case["n"],
            "a": rng.random((3, 2), np.float32),
            "b": np.zeros((3, 2), np.float32),
            "c": np.arange(4, dtype=np.int32),
        }

    @scene.golden
    def golden(args, case):
        return {"b": args["a"] + args["n"], "c": args["c"] + 1}
"""


def write_scene(root: Path, *, change: tuple[str, str] | None = None, name: str = "some_runtime/sum") -> Path:
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    text = textwrap.dedent(SCENE_PY)
    if change is not None:
        assert change[0] in text
        text = text.replace(*change)
    (folder / "scene.py").write_text(text)
    (folder / "orchestration.cpp").touch()
    (folder / "kernel.cpp").touch()
    return folder


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene.load(write_scene(tmp_path))


def load_ours(name: str) -> Scene:
    return Scene.load(SCENES / "host_build_graph" / name)


def finished(scene: Scene, before: dict[str, Any]) -> dict[str, Any]:
    """The arguments after a run that did everything right."""
    after = copy_args(before)
    after["b"][...] = before["a"] + np.float32(before["n"])
    after["c"] += 1
    return after


# Loading and discovery


def test_load_gives_a_scene_its_place(tmp_path):
    folder = write_scene(tmp_path)
    scene = Scene.load(folder)
    assert scene.name == "some_runtime/sum"
    assert scene.runtime == "some_runtime"
    assert scene.folder == folder
    [program] = scene.programs
    assert (program.orchestration, program.entry) == (folder / "orchestration.cpp", "build_graph")
    assert [kernel.source for kernel in program.kernels] == [folder / "kernel.cpp"]
    assert program.signature == scene.signature
    assert scene.config == {"block_dim": 3}
    assert scene.platforms is None
    assert scene.rounds == 1


def test_load_takes_relative_paths_and_keeps_names_of_links(tmp_path, monkeypatch):
    folder = write_scene(tmp_path)
    (tmp_path / "some_runtime" / "alias").symlink_to(folder)
    (folder / "kernels").mkdir()
    monkeypatch.chdir(folder / "kernels")
    assert Scene.load("..").name == "some_runtime/sum"
    assert Scene.load("../../alias").name == "some_runtime/alias"


def test_load_leaves_no_files_behind(tmp_path):
    folder = write_scene(tmp_path)
    Scene.load(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["kernel.cpp", "orchestration.cpp", "scene.py"]


def test_two_roots_may_have_the_same_names(tmp_path):
    first = Scene.load(write_scene(tmp_path / "1"))
    second = Scene.load(write_scene(tmp_path / "2", change=("b = a + n", "the other one")))
    assert first.name == second.name
    assert (first.description, second.description) == ("b = a + n, c = c + 1", "the other one, c = c + 1")


def test_scenes_may_use_dataclasses(tmp_path):
    """A dataclass looks for its module in sys.modules."""
    code = "import dataclasses\n\n@dataclasses.dataclass\nclass Point:\n    x: 'int' = 0\n\nscene = Scene("
    Scene.load(write_scene(tmp_path, change=("scene = Scene(", code)))


def test_a_scene_that_fails_to_import_leaves_no_module(tmp_path):
    before = set(sys.modules)
    with pytest.raises(SceneError):
        Scene.load(write_scene(tmp_path, change=("import numpy as np", "import no_such_module")))
    assert set(sys.modules) == before


def test_discover_imports_nothing(tmp_path):
    b = write_scene(tmp_path, name="runtime/b")
    a = write_scene(tmp_path, name="runtime/a", change=("scene = Scene(", "raise Exception\nscene = Scene("))
    (tmp_path / "README.md").touch()
    (tmp_path / "runtime" / "no_scene").mkdir()
    assert Scene.discover(tmp_path) == [("runtime/a", a), ("runtime/b", b)]
    assert Scene.discover(tmp_path / "runtime") == []


def test_discover_finds_our_scenes():
    found = dict(Scene.discover(SCENES))
    for name in NAMES:
        assert found[f"host_build_graph/{name}"] == SCENES / "host_build_graph" / name


@pytest.mark.parametrize("call", [Scene.load, Scene.discover])
def test_a_missing_folder_is_reported(tmp_path, call):
    with pytest.raises(SceneError, match=r"there is no .*") as caught:
        call(tmp_path / "nowhere")
    assert caught.value.name == "SCENE_UNKNOWN"
    assert caught.value.where == str(tmp_path / "nowhere")


# Descriptions that are not usable: (what is changed in SCENE_PY), field, message

INVALID_AT_LOAD = {
    "import raises": ("import numpy as np", "import no_such_module", ":2", "importing it raised ModuleNotFoundError"),
    "import exits": ("import numpy as np", "raise SystemExit(3)", ":2", "importing it raised SystemExit: 3"),
    "syntax": ("import numpy as np", "import numpy as", ":2", "importing it raised SyntaxError: invalid syntax"),
    "no scene": ("scene = Scene(", "other = scene = lambda **_: 0\nclass scene:\n  inputs = golden = print\nother(",
                 "", "the file must define `scene = Scene(...)`"),
    "unknown field": ("rtol=", "tol=", ":7", "unexpected keyword argument 'tol'"),
    "no description": ("b = a + n, c = c + 1", "", "description", "say in one line what the scene computes"),
    "entry": ('"build_graph"', '"build graph"', "entry", "no name: 'build graph'"),
    "orchestration": ('"orchestration.cpp"', '"graph.cpp"', "orchestration", "there is no file {folder}/graph.cpp"),
    "no kernels": ('[Kernel(0, "kernel.cpp", "aiv")]', "[]", "kernels", "there are none"),
    "kernel source": ('"kernel.cpp"', '"kernels/a.cpp"', "kernels[0]", "there is no file {folder}/kernels/a.cpp"),
    "kernel type": ('Kernel(0, "kernel.cpp", "aiv")', '"kernel.cpp"', "kernels[0]", "'kernel.cpp' is no Kernel"),
    "core type": ('"aiv"', '"aix"', ":11", "importing it raised ArgumentError: INVALID_ARGUMENT"),
    "include_dirs": ('"aiv")', '"aiv", include_dirs="a")', "kernels[0]", "include_dirs is no list of folders: 'a'"),
    "func_id twice": ("kernels=[", 'kernels=[Kernel(0, "kernel.cpp", "aic"), ', "kernels", "func_id given twice: 0"),
    "argument type": ('In("a", "float32", (None, 2))', '"a"', "signature[0]", "'a' is no In, Out, InOut or Scalar"),
    "dtype": ('Out("b", "float32"', 'Out("b", "float31"', "signature[1]", "b has the unknown dtype 'float31'"),
    "name twice": ('Out("b"', 'Out("a"', "signature", "name given twice: a"),
    "no outputs": ('Out("b", "float32", (3, 2)),\n        InOut(', "In(", "signature", "there is no Out and no InOut"),
    "config key": ('"block_dim"', '"blockdim"', "config",
                   "there is no 'blockdim'; there are block_dim, aicpu_thread_num, orch_thread_num, ring_task_window"),
    "config range": ('"block_dim": 3', '"block_dim": 0', "config", "block_dim must be an integer of 1 or more, not 0"),
    "config type": ('"block_dim": 3', '"block_dim": True', "config", "block_dim must be an integer of 1 or more"),
    "case_config of no case": ("rtol=0.01", "case_config={'third': {}}", "case_config",
                               "there is no case 'third'; there are default, other"),
    "case_config key": ("rtol=0.01", "case_config={'other': {'blockdim': 1}}", "case_config['other']",
                        "there is no 'blockdim'"),
    "case_config range": ("rtol=0.01", "case_config={'other': {'block_dim': 0}}", "case_config['other']",
                          "block_dim must be an integer of 1 or more, not 0"),
    "case_platforms of no case": ("rtol=0.01", "case_platforms={'third': ['a5sim']}", "case_platforms",
                                  "there is no case 'third'; there are default, other"),
    "case_platforms empty": ("rtol=0.01", "case_platforms={'other': []}", "case_platforms['other']", "there are none"),
    "case_platforms beyond the scene's": ("rtol=0.01", "platforms=['a5sim'], case_platforms={'other': ['a9sim']}",
                                          "case_platforms['other']", "the scene does not run on a9sim"),
    "case_platforms of the default": ("rtol=0.01", "case_platforms={'default': ['a5sim']}", "case_platforms",
                                      "'default' is the default case: it must run on all platforms"),
    "no orchestration": ('orchestration="orchestration.cpp",', "", "orchestration", "there is none"),
    "programs and kernels": ("rtol=0.01", "programs=[1]", "programs",
                             "give either these, or orchestration, entry and kernels"),
    "default case": ('"default": {', '"first": {', "default_case", "there is no case 'default'; there are first"),
    "rtol": ("rtol=0.01", "rtol=-1", "rtol", "must be a finite number of 0 or more, not -1"),
    "atol": ("atol=0.1", "atol=float('inf')", "atol", "must be a finite number of 0 or more, not inf"),
    "platforms": ("rtol=0.01", "platforms=()", "platforms", "there are none"),
    "rounds": ("rtol=0.01", "rounds=0", "rounds", "must be an integer of 1 or more, not 0"),
    "inputs": ("@scene.inputs", "", "inputs", "no function is decorated with @scene.inputs"),
    "golden": ("@scene.golden", "", "golden", "no function is decorated with @scene.golden"),
}  # fmt: skip


@pytest.mark.parametrize("name", INVALID_AT_LOAD)
def test_load_refuses(tmp_path, name):
    old, new, field, message = INVALID_AT_LOAD[name]
    folder = write_scene(tmp_path, change=(old, new))
    with pytest.raises(SceneError) as caught:
        Scene.load(folder)
    assert caught.value.name == "SCENE_INVALID"
    separator = "" if field[:1] in ("", ":") else ": "
    assert caught.value.where == f"{folder}/scene.py{separator}{field}"
    assert message.format(folder=folder) in caught.value.message


SEVERAL_PROGRAMS = (
    """    orchestration="orchestration.cpp",
    entry="build_graph",
    kernels=[Kernel(0, "kernel.cpp", "aiv")],
""",
    """    programs=[
        Program("orchestration.cpp", "first", [Kernel(0, "kernel.cpp", "aiv")], [In("a"), Out("b")]),
        Program("orchestration.cpp", "second", [Kernel(0, "kernel.cpp", "aic")], [Scalar("n"), InOut("c")]),
    ],
""",
)


def write_scene_of_programs(root: Path, *change: str) -> Path:
    folder = write_scene(root, change=("import Scene", "import Program, Scene"))
    text = (folder / "scene.py").read_text()
    for old, new in (SEVERAL_PROGRAMS, change or ("", "")):
        assert old in text
        text = text.replace(old, new) if old else text
    (folder / "scene.py").write_text(text)
    return folder


def test_a_scene_may_have_several_programs(tmp_path):
    folder = write_scene_of_programs(tmp_path)
    first, second = Scene.load(folder).programs
    assert (first.entry, second.entry) == ("first", "second")
    assert first.orchestration == second.orchestration == folder / "orchestration.cpp"
    assert [kernel.source for kernel in (*first.kernels, *second.kernels)] == [folder / "kernel.cpp"] * 2
    assert [arg.name for arg in second.signature] == ["n", "c"]


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        ('"second"', '"2nd"', "programs[1].entry", "no name: '2nd'"),
        ('Program("orchestration.cpp", "second"', 'Program("b.cpp", "second"', "programs[1].orchestration",
         "there is no file {folder}/b.cpp"),
        ('[Kernel(0, "kernel.cpp", "aic")]', "[]", "programs[1].kernels", "there are none"),
        ('"kernel.cpp", "aic"', '"b.cpp", "aic"', "programs[1].kernels[0]", "there is no file {folder}/b.cpp"),
        ('InOut("c")]', 'InOut("x")]', "programs[1].signature", "the scene has no argument 'x', only a, b, c, n"),
        ('InOut("c")]', '"c"]', "programs[1].signature", "'c' is no In, Out, InOut or Scalar"),
        ("programs=[", "programs=['x', ", "programs[0]", "'x' is no Program"),
    ],
)  # fmt: skip
def test_load_refuses_programs(tmp_path, old, new, field, message):
    folder = write_scene_of_programs(tmp_path, old, new)
    with pytest.raises(SceneError) as caught:
        Scene.load(folder)
    assert (caught.value.name, caught.value.where) == ("SCENE_INVALID", f"{folder}/scene.py: {field}")
    assert message.format(folder=folder) in caught.value.message


def test_cases_have_a_configuration_and_platforms_of_their_own(tmp_path):
    own = "case_config={'other': {'block_dim': 36, 'aicpu_thread_num': 2}}, case_platforms={'other': ['a5sim']}"
    scene = Scene.load(write_scene(tmp_path, change=("rtol=0.01", own)))
    assert scene.config_of("default") == {"block_dim": 3}
    assert scene.config_of("other") == {"block_dim": 36, "aicpu_thread_num": 2}
    assert [scene.not_for(platform, "other") for platform in ("a2a3sim", "a5sim", "a5")] == [
        "is for a5sim, not for a2a3sim", "", "",
    ]  # fmt: skip
    assert scene.not_for("a2a3sim", "default") == scene.not_for("a2a3sim") == ""


def test_a_scene_needs_of_a_chip_what_it_says_or_is_configured_with(tmp_path):
    config = "config={'block_dim': 24, 'aicpu_thread_num': 4}, case_config={'other': {'block_dim': 30}}"
    small, large = Chip(8, 2, 16 << 20), Chip(36, 7, 64 << 30)
    strict = Scene.load(write_scene(tmp_path / "1", change=('config={"block_dim": 3}', config)))
    assert strict.shortage("default", "p", small) == "needs 24 clusters, p has 8; needs 4 AICPU threads, p has 2"
    assert strict.shortage("other", "p", Chip(24, 4, 1)) == "needs 30 clusters, p has 24"
    assert strict.shortage("other", "p", large) == strict.shortage("other", "p", None) == ""
    assert strict.config_of("default", small) == {"block_dim": 24, "aicpu_thread_num": 4}

    needs = config + ", needs={'clusters': 2, 'aicpu_threads': 1, 'memory_bytes': 1 << 20}"
    modest = Scene.load(write_scene(tmp_path / "2", change=('config={"block_dim": 3}', needs)))
    assert modest.shortage("other", "p", small) == ""
    assert modest.config_of("default", small) == {"block_dim": 8, "aicpu_thread_num": 2}
    assert modest.config_of("other", large) == modest.config_of("other") == {"block_dim": 30, "aicpu_thread_num": 4}
    assert modest.shortage("default", "p", Chip(1, 1, 1000)) == (
        "needs 2 clusters, p has 1; needs 1048576 bytes of device memory, p has 1000"
    )


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        ({"cluster": 2}, "there is no 'cluster'; there are clusters, aicpu_threads, memory_bytes"),
        ({"clusters": 0}, "clusters must be an integer of 1 or more, not 0"),
        ({"clusters": 4}, "case 'default' needs 4 clusters, and its configuration says block_dim 3"),
    ],
)
def test_load_refuses_needs(tmp_path, needs, message):
    with pytest.raises(SceneError, match=message) as caught:
        Scene.load(write_scene(tmp_path, change=("rtol=0.01", f"needs={needs}")))
    assert caught.value.where.endswith("scene.py: needs")


INVALID_INPUTS = {
    "raises": ('case["n"]', 'case["m"]', ":27: inputs", "case 'default' raised KeyError: 'm'"),
    "no dict": ("return {\n", "return 3, {\n", ": inputs", "must return a dict of values by name, not (3, {"),
    "missing": ('"n": case["n"],', "", ": inputs", "does not return n"),
    "surplus": ('"n": case', '"x": 1, "n": case', ": inputs", "returns x; wanted are only a, b, c, n"),
    "no array": ("np.arange(4, dtype=np.int32)", "[1]", ": inputs", "c is [1] (list), not a NumPy array"),
    "dtype": ("dtype=np.int32", "dtype=np.int64", ": inputs", "case 'default': c has dtype int64, not int32"),
    "shape": ("(4, dtype", "(5, dtype", ": inputs", "case 'default': c has shape (5,), not (4,)"),
    "dimensions": ("((3, 2), np", "((3, 2, 1), np", ": inputs", "a has shape (3, 2, 1), not (None, 2)"),
    "length": ("((3, 2), np", "((3, 1), np", ": inputs", "a has shape (3, 1), not (None, 2)"),
    "layout": ("((3, 2), np.float32)", "((2, 3), np.float32).T", ": inputs", "case 'default': a is not C-contiguous"),
    "scalar": ('"n": case["n"]', '"n": "1"', ": inputs", "n is '1' (str), not a number that fits float32"),
    "integer scalar": ('Scalar("n", "float32")', 'Scalar("n")', ": inputs", "n is 0.1 (float), not a number that fits"),
}


@pytest.mark.parametrize("name", INVALID_INPUTS)
def test_make_args_refuses(tmp_path, name):
    old, new, where, message = INVALID_INPUTS[name]
    scene = Scene.load(write_scene(tmp_path, change=(old, new)))
    with pytest.raises(SceneError) as caught:
        scene.make_args()
    assert caught.value.name == "SCENE_INVALID"
    assert caught.value.where == f"{scene.file}{where}"
    assert message in caught.value.message


RETURN = 'return {"b": args["a"] + args["n"], "c": args["c"] + 1}'
INVALID_GOLDEN = {
    "raises": ('"b": args["a"]', '"b": args["b"]', ":35: golden", "case 'default' raised KeyError: 'b'"),
    "no dict": (RETURN, "pass", ": golden", "must return a dict of values by name, not None"),
    "missing": (RETURN, 'return {"b": args["a"]}', ": golden", "does not return c"),
    "surplus": ('"b": args', '"a": 0, "b": args', ": golden", "returns a; wanted are only b, c"),
    "float32": (
        'args["a"] + args["n"]',
        'args["a"].astype(np.float32)',
        ": golden",
        "case 'default': b is an array of float32 with shape (3, 2), not a float64 or integer array",
    ),
    "shape": ('"c": args["c"]', '"c": args["c"][:2]', ": golden", "case 'default': c has shape (2,), not (4,)"),
}


@pytest.mark.parametrize("name", INVALID_GOLDEN)
def test_check_refuses_golden(tmp_path, name):
    old, new, where, message = INVALID_GOLDEN[name]
    scene = Scene.load(write_scene(tmp_path, change=(old, new)))
    args = scene.make_args()
    with pytest.raises(SceneError) as caught:
        scene.check("default", args, copy_args(args))
    assert caught.value.name == "SCENE_INVALID"
    assert caught.value.where == f"{scene.file}{where}"
    assert message in caught.value.message


# Inputs


def test_arguments_come_in_the_order_of_the_signature(scene):
    assert list(scene.make_args()) == ["a", "b", "c", "n"]


def test_an_unknown_case_is_reported(scene):
    with pytest.raises(SceneError, match="there is no case 'third'; there are default, other") as caught:
        scene.make_args("third")
    assert caught.value.name == "SCENE_UNKNOWN"
    assert caught.value.where == "some_runtime/sum"


def test_cases_cannot_be_changed(tmp_path):
    scene = Scene.load(write_scene(tmp_path, change=('"n": case["n"],', '"n": case.pop("n"),')))
    with pytest.raises(SceneError, match="'mappingproxy' object has no attribute 'pop'"):
        scene.make_args()


def test_random_numbers_are_the_same_everywhere():
    """The raw generator, which NumPy promises never to change; its distributions it may."""
    raw = make_rng(7, "host_build_graph/bgemm", "default").bit_generator.random_raw(1000)
    assert hashlib.sha256(raw.astype("<u8").tobytes()).hexdigest()[:16] == "a8b53a05adf1fa22"


@pytest.mark.parametrize("other", [(1, "r/s", "c"), (0, "r/t", "c"), (0, "r/s", "d"), (0, "r/", "sc")])
def test_random_numbers_depend_on_seed_scene_and_case(other):
    first, second = make_rng(0, "r/s", "c"), make_rng(*other)
    assert not np.array_equal(first.random(8), second.random(8))


def test_a_negative_seed_is_refused(scene):
    with pytest.raises(ArgumentError, match="a seed must not be negative, this is -1"):
        scene.make_args(seed=-1)


# Comparison


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


@pytest.mark.parametrize("entry", ["", "entry=None,", 'entry="",'])
def test_the_entry_is_that_of_compile(tmp_path, entry):
    scene = Scene.load(write_scene(tmp_path, change=('entry="build_graph",', entry)))
    assert [program.entry for program in scene.programs] == ["build_graph"]


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


# The scenes of host_build_graph


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
    """Against whole matrices, not tiles."""
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
    """Against loops over single numbers."""
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


# A case of each scene in which every input matters, and what to do to an input.
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

# SPDX-License-Identifier: Apache-2.0
"""Scenes without a worker: how they are found and loaded, their descriptions, and the arguments they make."""

from __future__ import annotations

import hashlib
import sys

import numpy as np
import pytest
from described_scene import RETURN, write_scene, write_scene_of_programs

from chiphost.chip import Chip
from chiphost.errors import ArgumentError, SceneError
from chiphost.scene import Scene, copy_args, make_rng


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


@pytest.mark.parametrize("call", [Scene.load, Scene.discover])
def test_a_missing_folder_is_reported(tmp_path, call):
    with pytest.raises(SceneError, match=r"there is no .*") as caught:
        call(tmp_path / "nowhere")
    assert caught.value.name == "SCENE_UNKNOWN"
    assert caught.value.where == str(tmp_path / "nowhere")


# Descriptions that are not usable: the change of SCENE_PY, the field, the message.
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


def test_a_scene_may_have_several_programs(tmp_path):
    folder = write_scene_of_programs(tmp_path)
    first, second = Scene.load(folder).programs
    assert (first.entry, second.entry) == ("first", "second")
    assert first.orchestration == second.orchestration == folder / "orchestration.cpp"
    assert [kernel.source for kernel in (*first.kernels, *second.kernels)] == [folder / "kernel.cpp"] * 2
    assert [arg.name for arg in second.signature] == ["n", "c"]


def test_a_program_keeps_its_options_for_the_compiler(tmp_path):
    options = """InOut("c")], include_dirs=["headers"], defines=["SIZE=3"], flags=["-O1"])"""
    folder = write_scene_of_programs(tmp_path, """InOut("c")])""", options)
    first, second = Scene.load(folder).programs
    assert (first.include_dirs, first.defines, first.flags) == ((), (), ())
    assert second.include_dirs == (folder / "headers",)
    assert (list(second.defines), list(second.flags)) == (["SIZE=3"], ["-O1"])


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
        ('InOut("c")])', 'InOut("c")], include_dirs="a")', "programs[1].orchestration",
         "include_dirs is no list of folders: 'a'"),
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
    """The raw generator is used, which NumPy promises never to change; its distributions may change."""
    raw = make_rng(7, "host_build_graph/bgemm", "default").bit_generator.random_raw(1000)
    assert hashlib.sha256(raw.astype("<u8").tobytes()).hexdigest()[:16] == "a8b53a05adf1fa22"


@pytest.mark.parametrize("other", [(1, "r/s", "c"), (0, "r/t", "c"), (0, "r/s", "d"), (0, "r/", "sc")])
def test_random_numbers_depend_on_seed_scene_and_case(other):
    first, second = make_rng(0, "r/s", "c"), make_rng(*other)
    assert not np.array_equal(first.random(8), second.random(8))


def test_a_negative_seed_is_refused(scene):
    with pytest.raises(ArgumentError, match="a seed must not be negative, this is -1"):
        scene.make_args(seed=-1)


@pytest.mark.parametrize("entry", ["", "entry=None,", 'entry="",'])
def test_the_entry_is_that_of_compile(tmp_path, entry):
    scene = Scene.load(write_scene(tmp_path, change=('entry="build_graph",', entry)))
    assert [program.entry for program in scene.programs] == ["build_graph"]

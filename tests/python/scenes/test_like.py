# SPDX-License-Identifier: Apache-2.0
"""Scenes that are like another one: the fields that they take from it, and those of their own."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pytest
from described_scene import finished, write_scene, write_scene_of_programs

from chiphost.errors import SceneError
from chiphost.scene import Scene

LIKE = """
    from pathlib import Path

    from chiphost import Kernel, Out, Program, Scene, Scalar

    other = Scene.load(Path(__file__).parents[2] / "some_runtime" / "sum")
    scene = Scene(like=other, {fields})
    {more}
"""


def write_like(root: Path, fields: str = "", more: str = "", name: str = "other_runtime/alike") -> Path:
    """A scene like the one of described_scene, which must be there, with fields of its own."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "scene.py").write_text(textwrap.dedent(LIKE).format(fields=fields, more=textwrap.dedent(more)))
    for source in ("own_graph.cpp", "own_kernel.cpp"):
        (folder / source).touch()
    return folder


def test_what_is_not_given_is_the_others(tmp_path: Path) -> None:
    other = Scene.load(write_scene(tmp_path))
    scene = Scene.load(write_like(tmp_path))
    assert (scene.name, scene.runtime) == ("other_runtime/alike", "other_runtime")
    assert scene.file == tmp_path / "other_runtime" / "alike" / "scene.py"
    for field in ("description", "programs", "signature", "config", "cases", "needs", "rtol", "atol", "rounds"):
        assert getattr(scene, field) == getattr(other, field), field
    before = scene.make_args("other")
    assert before["a"].tobytes() != other.make_args("other")["a"].tobytes()  # the name of a scene decides about these
    scene.check("other", before, finished(scene, before))


def test_what_is_given_is_its_own(tmp_path: Path) -> None:
    other = Scene.load(write_scene(tmp_path))
    fields = 'orchestration="own_graph.cpp", kernels=[Kernel(7, "own_kernel.cpp", "aic")], atol=0, rounds=2, '
    fields += 'config={}, cases={"default": {"n": 5}}, description="b = a + 5"'
    scene = Scene.load(write_like(tmp_path, fields))
    [program] = scene.programs
    assert program.orchestration == scene.folder / "own_graph.cpp"
    assert [(kernel.func_id, kernel.source) for kernel in program.kernels] == [(7, scene.folder / "own_kernel.cpp")]
    assert (program.entry, program.signature) == ("build_graph", other.signature)
    assert (scene.atol, scene.rtol, scene.rounds, scene.config) == (0, 0.01, 2, {})
    assert list(scene.cases) == ["default"]
    assert scene.make_args()["n"] == 5
    assert other.config == {"block_dim": 3} and list(other.cases) == ["default", "other"]


def test_kernels_may_be_the_others_and_the_orchestration_its_own(tmp_path: Path) -> None:
    other = Scene.load(write_scene(tmp_path))
    scene = Scene.load(write_like(tmp_path, 'orchestration="own_graph.cpp"'))
    assert scene.programs[0].orchestration == scene.folder / "own_graph.cpp"
    assert scene.programs[0].kernels == other.programs[0].kernels
    assert scene.programs[0].kernels[0].source == other.folder / "kernel.cpp"


def test_several_programs_are_taken_together_or_not_at_all(tmp_path: Path) -> None:
    other = Scene.load(write_scene_of_programs(tmp_path))
    assert Scene.load(write_like(tmp_path)).programs == other.programs
    folder = write_like(tmp_path, 'orchestration="own_graph.cpp"', name="other_runtime/one")
    with pytest.raises(SceneError, match="kernels: there are none"):
        Scene.load(folder)


def test_functions_may_be_its_own(tmp_path: Path) -> None:
    write_scene(tmp_path)
    golden = """
    @scene.golden
    def golden(args, case):
        return {"b": args["a"] + args["n"] + 1, "c": args["c"] + 1}
    """
    scene = Scene.load(write_like(tmp_path, more=golden))
    before = scene.make_args()
    after = finished(scene, before)
    with pytest.raises(SceneError, match="b: 6 of 6 elements differ"):
        scene.check("default", before, after)
    after["b"] += np.float32(1)
    scene.check("default", before, after)


def test_a_scene_may_be_like_one_that_is_like_another(tmp_path: Path) -> None:
    write_scene(tmp_path)
    write_like(tmp_path, "rounds=3", name="some_runtime/second")
    folder = write_like(tmp_path, name="some_runtime/third")
    text = (folder / "scene.py").read_text()
    (folder / "scene.py").write_text(text.replace('/ "sum"', '/ "second"'))
    scene = Scene.load(folder)
    assert (scene.rounds, scene.rtol) == (3, 0.01)
    before = scene.make_args()
    scene.check("default", before, finished(scene, before))


def test_an_error_names_the_file_in_which_it_is(tmp_path: Path) -> None:
    other = write_scene(tmp_path, change=('case["n"]', 'case["m"]'))
    scene = Scene.load(write_like(tmp_path))
    with pytest.raises(SceneError, match=r"case 'default' raised KeyError: 'm'") as caught:
        scene.make_args()
    assert caught.value.where == f"{other / 'scene.py'}:27: inputs"


def test_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"there is no scene\.py in this folder") as caught:
        Scene.load(write_like(tmp_path))
    assert str(tmp_path / "some_runtime" / "sum") in str(caught.value)
    assert caught.value.where == f"{tmp_path / 'other_runtime' / 'alike' / 'scene.py'}:6"

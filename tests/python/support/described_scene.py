# SPDX-License-Identifier: Apache-2.0
"""A scene of a few lines, whose text tests change; nothing of it is compiled."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from chiphost.scene import Scene, copy_args

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
RETURN = 'return {"b": args["a"] + args["n"], "c": args["c"] + 1}'
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


def finished(scene: Scene, before: dict[str, Any]) -> dict[str, Any]:
    """The arguments after a run that did everything right."""
    after = copy_args(before)
    after["b"][...] = before["a"] + np.float32(before["n"])
    after["c"] += 1
    return after


def write_scene_of_programs(root: Path, *change: str) -> Path:
    folder = write_scene(root, change=("import Scene", "import Program, Scene"))
    text = (folder / "scene.py").read_text()
    for old, new in (SEVERAL_PROGRAMS, change or ("", "")):
        assert old in text
        text = text.replace(old, new) if old else text
    (folder / "scene.py").write_text(text)
    return folder

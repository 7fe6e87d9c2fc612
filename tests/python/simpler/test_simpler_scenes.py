# SPDX-License-Identifier: Apache-2.0
"""Scenes in the form of the project simpler: run as they are, beside chiphost's own, and refused with words."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import simpler_scenes
from simpler_runs import TIMEOUT_S, chiphost, rows
from simpler_scenes import CONFIG, GOLDEN, RUNTIMES, SCALE_OF_TENSORS

from chiphost._runtimes import runtimes
from chiphost._simpler.scene import SimplerScene
from chiphost.scenes import catalog

pytestmark = pytest.mark.timeout(TIMEOUT_S + 60)


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("isolation", ["namespace", "copy", "process"])
@pytest.mark.parametrize("chip", ["a2a3sim", "a5sim"])
def test_they_pass_as_they_are(root: Path, chip: str, isolation: str) -> None:
    for runtime in RUNTIMES:
        simpler_scenes.write(root, runtime, arch="a5")
    before = everything(root)
    words = ("ci", "-p", chip, "--isolation", isolation, "--all-cases", "--scenes", root)
    done = chiphost(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(done) == {f"{runtime}/scale": "PASS" for runtime in RUNTIMES}
    assert done.stdout.count("2 cases") == len(RUNTIMES)
    assert everything(root) == before, "a file was changed, or added"


@pytest.mark.parametrize("below", ["", "examples", "examples/a2a3", "examples/a2a3/host_build_graph"])
def test_they_are_found_from_every_folder(root: Path, below: str) -> None:
    found = [name for name, _ in catalog.scenes_in(root / below, "a2a3sim")]
    assert found == sorted(f"{runtime}/scale" for runtime in RUNTIMES if runtime in below or "host" not in below)


def test_one_is_enough(root: Path) -> None:
    folder = root / "examples" / "a2a3" / "tensormap_and_ringbuffer" / "scale"
    for words in (("run", folder), ("ci", "--scenes", folder)):
        done = chiphost(*words, "-p", "a2a3sim")
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("runtime", RUNTIMES[1:])
def test_the_functions_name_is_only_for_the_host(root: Path, runtime: str) -> None:
    """simpler calls one and the same function on the AICPU, and some of its scenes name another."""
    text = CONFIG.replace("@RUNTIME", runtime).replace("@FUNCTION", "build_scale_graph")
    folder = simpler_scenes.write(root, runtime, config=text)
    done = chiphost("run", folder, "-p", "a2a3sim")
    assert done.returncode == 0, done.stdout + done.stderr


def test_run_takes_all_cases_of_one(root: Path) -> None:
    folder = root / "examples" / "a2a3" / "tensormap_and_ringbuffer" / "scale"
    for words, cases in (((), ["small"]), (("--all-cases",), ["small", "large"]), (("--case", "large"), ["large"])):
        done = chiphost("run", folder, "-p", "a2a3sim", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert list(rows(done)) == cases


def test_a_scene_may_lie_anywhere(root: Path, tmp_path: Path) -> None:
    """Its runtime is in the file. Modules are found when a function asks for them, too."""
    late = GOLDEN.replace("from factors import FACTOR\n", "").replace("@LAST", "False")
    late = late.replace("    assert params", "    from factors import FACTOR\n    assert params")
    simpler_scenes.write(root, "aicpu_build_graph", golden=late)
    (root / "mine").mkdir()
    folder = (root / "examples" / "a2a3" / "aicpu_build_graph" / "scale").rename(root / "mine" / "some scale")
    done = subprocess.run(
        [sys.executable, "-m", "chiphost", "run", ".", "-p", "a5sim"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "aicpu_build_graph/some scale on a5sim" in done.stdout


def test_names_that_are_there_twice_say_where(root: Path) -> None:
    folder = simpler_scenes.write(root, "host_build_graph", arch="a5")
    names = [name for name, _ in catalog.scenes_in(root) if name.startswith("host")]
    assert names == ["host_build_graph/scale (examples/a2a3)", "host_build_graph/scale (examples/a5)"]
    assert dict(catalog.scenes_in(root))[names[1]] == folder
    assert "host_build_graph/scale" in dict(catalog.scenes_in(root, "a5sim"))


OWN = "host_build_graph/vector_example"


@pytest.fixture
def mixed(root: Path, scenes_root: Path) -> Path:
    """The folder of `root` with a scene of chiphost's own in it."""
    (root / OWN).parent.mkdir()
    (root / OWN).symlink_to(scenes_root / OWN)
    return root


ALL_PASS = {OWN: "PASS", **{f"{runtime}/scale": "PASS" for runtime in RUNTIMES}}


@pytest.mark.parametrize(
    "words",
    [
        ("--parallel",),
        ("--isolation", "process"),
        ("--isolation", "copy", "--parallel"),
        ("--seed", "7", "--sim-threads", "2"),
    ],
)
def test_beside_chiphosts_own(mixed: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    report = tmp_path / "report.json"
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", mixed, "--json", report, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(done) == ALL_PASS
    isolation = words[1] if words[0] == "--isolation" else ""
    assert (f"Isolation: {isolation} " in done.stdout) == bool(isolation)
    seed = int(words[1]) if words[0] == "--seed" else 0
    assert {scene["seed"] for scene in json.loads(report.read_text())["scenes"]} == {seed}


def test_the_deadline_is_for_all_of_them(mixed: Path) -> None:
    kernel = SCALE_OF_TENSORS.replace(
        "const bool as_promised", "for (volatile int x = 1; x;) {}\n    const bool as_promised"
    )
    folder = simpler_scenes.write(mixed, "tensormap_and_ringbuffer", kernel=kernel)
    assert chiphost("ci", "-p", "a2a3sim", "--scenes", mixed, "-k", "_graph").returncode == 0
    done = chiphost("run", folder, "-p", "a2a3sim", "--timeout", "1")  # all files are in the cache after this
    assert "DEADLINE_EXCEEDED" in done.stdout
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", mixed, "-t", "20")
    assert done.returncode == 1
    assert rows(done) == ALL_PASS | {"tensormap_and_ringbuffer/scale": "FAIL"}
    assert "the deadline of 20 s was over" in done.stdout


def test_on_runtimes_that_are_built_first(mixed: Path, tmp_path: Path) -> None:
    if not shutil.which("cmake"):
        pytest.skip("there is no cmake")
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in RUNTIMES:
        shutil.copytree(runtimes.find(name, "a2a3sim").host.parent, checkout / name)
    text = "cmake_minimum_required(VERSION 3.20)\nproject(chiphost LANGUAGES NONE)\n"
    text += (
        'file(COPY "${CMAKE_SOURCE_DIR}/" DESTINATION "${CMAKE_BINARY_DIR}/lib/a2a3sim" FILES_MATCHING PATTERN "*.so"'
    )
    (checkout / "CMakeLists.txt").write_text(f"{text} PATTERN build EXCLUDE)\nadd_custom_target(programs ALL)\n")
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", mixed, "--build-runtime", "--source", checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"Built runtimes from {checkout}")
    assert rows(done) == ALL_PASS


def test_what_it_says_is_read(root: Path) -> None:
    scene = SimplerScene.load(root / "examples" / "a2a3" / "tensormap_and_ringbuffer" / "scale")
    assert scene.description == "y = 2 * factor * x."
    assert (scene.runtime, scene.rounds, scene.default_case) == ("tensormap_and_ringbuffer", 2, "small")
    assert scene.usual_cases == ["small"]
    assert list(scene.cases) == ["small", "large"]
    assert scene.config == {
        "block_dim": 3,
        "ring_task_window": 16,
        "ring_heap_bytes": 65536,
        "ring_dep_pool": 64,
    }
    args = scene.make_args("small")
    assert list(args) == ["x", "y", "factor"]
    assert args["factor"] == 0x3FC00000  # 1.5 by its bits


def test_what_comes_out_wrong_is_shown(root: Path) -> None:
    wrong = GOLDEN.replace("@LAST", "False").replace("= 2 * tensors", "= 3 * tensors")
    simpler_scenes.write(root, "aicpu_build_graph", golden=wrong)
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", root)
    assert done.returncode == 1
    assert rows(done)["aicpu_build_graph/scale"] == "FAIL"
    assert "GOLDEN_MISMATCH" in done.stdout
    assert "y: 15 of 16 elements differ" in done.stdout
    assert "again: chiphost run aicpu_build_graph/scale -p a2a3sim --case small --seed 0" in done.stdout
    done = chiphost("ci", "-p", "a2a3sim", "--all-cases", "-k", "aicpu", "--scenes", root)
    assert "again: chiphost run aicpu_build_graph/scale -p a2a3sim --all-cases --seed 0" in done.stdout
    again = chiphost("ci", "-p", "a2a3sim", "--scenes", root, "--pto-isa", os.environ["PTO_ISA_ROOT"])
    assert f"--pto-isa {os.environ['PTO_ISA_ROOT']}" in again.stdout, "the command that runs it again lacks it"


ODD = [
    ({"golden": "x = 1\n"}, "__outputs__: there are none: nothing could be checked"),
    ({"golden": "__outputs__ = ['y']\n"}, "generate_inputs: there is no such function"),
    (
        {"golden": "import no_such_module\n"},
        "importing it raised ModuleNotFoundError: No module named 'no_such_module'",
    ),
    ({"config": "KERNELS = []\n"}, "kernels/kernel_config.py: ORCHESTRATION: there is none"),
    ({"config": "RUNTIME_ENV = {'PTO2_FAST': '1'}\n"}, "RUNTIME_ENV: nobody knows what PTO2_FAST means"),
    (
        {
            "config": "ORCHESTRATION = {'source': __file__, 'function_name': 'f'}\n"
            "KERNELS = [{'func_id': -1, 'source': __file__, 'core_type': 'aiv'}]\n"
        },
        "func_id is -1; it must be a number from 0 to",
    ),
    ({"config": "KERNELS = [3]\nORCHESTRATION = {'source': __file__}\n"}, "wanted a dict with func_id, source and"),
    ({"config": "RUNTIME_CONFIG = {'runtime': str('tensormap')}\n"}, "is for the runtime tensormap, and called"),
    ({"config": "RUNTIME_CONFIG = {'block_dim': 'many'}\n"}, "ValueError: invalid literal for int()"),
]


def test_what_cannot_be_run_is_said(root: Path, tmp_path: Path) -> None:
    """In one run, as each run compiles the scenes of `root`, which pass beside them."""
    for number, (changes, _) in enumerate(ODD):
        simpler_scenes.write(root, "tensormap_and_ringbuffer", f"odd{number}", **changes)
    report = tmp_path / "report.json"
    done = chiphost("ci", "-p", "a2a3sim", "--scenes", root, "--json", report)
    assert done.returncode == 1
    odd = [f"tensormap_and_ringbuffer/odd{number}" for number in range(len(ODD))]
    assert rows(done) == {f"{runtime}/scale": "PASS" for runtime in RUNTIMES} | dict.fromkeys(odd, "FAIL")
    said = {scene["name"]: json.dumps(scene) for scene in json.loads(report.read_text())["scenes"]}
    shown = " ".join(done.stdout.split())
    for name, (_, expected) in zip(odd, ODD, strict=True):
        assert json.dumps(expected)[1:-1] in said[name]
        assert expected in shown


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_arguments_that_do_not_fit_are_the_runs_error(root: Path, runtime: str) -> None:
    """A runtime on the AICPU wants as many as the orchestration expects, or more; one on the host leaves it to that."""
    more = GOLDEN.replace("@LAST", "False").replace("ctypes.c_float(FACTOR))]", "ctypes.c_float(FACTOR)), ('more', 1)]")
    less = GOLDEN.replace("@LAST", "False").replace(', ("factor", ctypes.c_float(FACTOR))]', "]")
    on_host = runtime == "host_build_graph"
    if not on_host:
        simpler_scenes.write(root, runtime, golden=more)
        done = chiphost("run", root / "examples" / "a2a3" / runtime / "scale", "-p", "a2a3sim")
        assert "wanted 3" not in done.stdout
    simpler_scenes.write(root, runtime, golden=more if on_host else less)
    done = chiphost("run", root / "examples" / "a2a3" / runtime / "scale", "-p", "a2a3sim")
    assert done.returncode == 1
    expected = "returned 1" if on_host else "wanted 3 arguments or more, found 2 tensors and 0 scalars"
    assert expected in " ".join(done.stdout.split()), done.stdout


def test_memory_of_nobody_is_no_tensor(root: Path) -> None:
    text = simpler_scenes.device(simpler_scenes.PARTS["tensormap_and_ringbuffer"])
    text = text.replace("argument.data_as<void>(), elements", "argument.data_as<float>() + 1, elements")
    simpler_scenes.write(root, "tensormap_and_ringbuffer", orchestration=text)
    done = chiphost("run", root / "examples" / "a2a3" / "tensormap_and_ringbuffer" / "scale", "-p", "a2a3sim")
    assert done.returncode == 1
    assert "TASK_INVALID" in done.stdout
    assert "tensor_at: 64 bytes at 0x" in done.stdout
    assert "are in no tensor argument of the run" in " ".join(done.stdout.split())

# SPDX-License-Identifier: Apache-2.0
"""A runtime and a platform that are projects of their own, built against the package."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from cmake_tools import cmake_dir, ninja, run, tool

pytestmark = pytest.mark.timeout(1800)  # projects are built
OUT_OF_TREE = {name: ROOT / "tests" / "examples" / f"out_of_tree_{name}" for name in ("runtime", "platform")}


@pytest.fixture(scope="module")
def out_of_tree(cmake: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both template projects, built against the installed package."""
    folders = {}
    for name, source in OUT_OF_TREE.items():
        folders[name] = tmp_path_factory.mktemp(name)
        run(cmake, "-S", source, "-B", folders[name], f"-Dchiphost_DIR={cmake_dir()}", *ninja())
        run(cmake, "--build", folders[name], "--parallel", "2")
    return folders


def test_programs_have_their_places_and_names_with_every_generator(cmake, tmp_path):
    options = ["-G", "Ninja Multi-Config", f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}", f"-Dchiphost_DIR={cmake_dir()}"]
    options += [
        "-DCMAKE_DEBUG_POSTFIX=d",
        "-DCMAKE_LIBRARY_OUTPUT_DIRECTORY_RELEASE=elsewhere",
        "-DCMAKE_UNITY_BUILD=ON",
    ]
    for name, made in (
        ("runtime", {"a2a3sim_repeat_aicore": "lib/a2a3sim/repeat/aicore.so", "smooth": "callables/smooth.so"}),
        ("platform", {"a2a3tiny_conform_aicore": "lib/a2a3tiny/conform/aicore.so"}),
    ):
        build = tmp_path / name
        run(cmake, "-S", OUT_OF_TREE[name], "-B", build, *options)
        for configuration in ("Debug", "Release"):
            run(cmake, "--build", build, "--config", configuration, "--target", *made)
            found = {str(file.relative_to(build)) for file in build.rglob("*.so")}
            assert found == set(made.values())
            for file in found:
                (build / file).unlink()
        assert not list(build.rglob("unity_*"))


def chiphost(folder: Path, *words: object) -> str:
    return run(sys.executable, "-m", "chiphost", *words, CHIPHOST_RUNTIME_PATH=str(folder / "lib"))


@pytest.mark.parametrize("platform", ["a2a3sim", "a5sim"])
@pytest.mark.parametrize("isolation", ["copy", "process", "auto"])
def test_an_out_of_tree_runtime_runs_scenes_by_its_name(out_of_tree, platform, isolation):
    scenes = OUT_OF_TREE["runtime"] / "scenes"
    said = chiphost(out_of_tree["runtime"], "ci", "-p", platform, "--scenes", scenes, "--isolation", isolation)
    assert said.endswith("Total: 1  Passed: 1  Failed: 0\n")


def test_an_out_of_tree_runtime_runs_a_precompiled_callable(out_of_tree):
    folder = out_of_tree["runtime"]
    said = run(sys.executable, OUT_OF_TREE["runtime"] / "run.py", folder, CHIPHOST_RUNTIME_PATH=str(folder / "lib"))
    assert said == "5 tasks, 2.9375\n"  # (1 + 3) / 2, (2 + 3) / 2, ...


def test_an_out_of_tree_runtime_is_installed_with_its_callables(cmake, out_of_tree, tmp_path):
    run(cmake, "--install", out_of_tree["runtime"], "--prefix", tmp_path)
    installed = {str(file.relative_to(tmp_path / "chiphost")) for file in tmp_path.rglob("*.so")}
    programs = {f"lib/{arch}sim/repeat/{name}.so" for arch in ("a2a3", "a5") for name in ("host", "aicpu", "aicore")}
    assert installed == programs | {"callables/rounds.so", "callables/smooth.so"}


@pytest.mark.parametrize("isolation", ["copy", "process", "auto"])
def test_an_out_of_tree_platform_runs_a_scene(out_of_tree, isolation):
    options = ["--scenes", OUT_OF_TREE["platform"] / "scenes", "--isolation", isolation]
    assert "PASS" in chiphost(out_of_tree["platform"], "run", "doubled", "-p", "a2a3tiny", *options)


def test_ci_of_an_out_of_tree_platform_runs_what_its_chip_can_do(out_of_tree, tmp_path):
    """The chip has eight clusters with 16 MB; the scenes were written for larger chips."""
    scenes, device = tmp_path / "scenes", "tensormap_and_ringbuffer"
    shutil.copytree(OUT_OF_TREE["platform"] / "scenes", scenes)
    ours = ROOT / "tests" / "scenes"
    shutil.copytree(ours / device / "block_dims", scenes / device / "block_dims")
    for name, limit in (
        ("wide", "needs={'clusters': 24}"),
        ("large", "needs={'memory_bytes': 64 << 20}"),
        ("foreign", "platforms=('a5sim',)"),
    ):
        shutil.copytree(scenes / device / "doubled", scenes / device / name)
        file = scenes / device / name / "scene.py"
        file.write_text(file.read_text().replace("    kernels=", f"    {limit},\n    kernels="))
    report, junit = tmp_path / "report.json", tmp_path / "junit.xml"
    said = chiphost(
        out_of_tree["platform"], "ci", "-p", "a2a3tiny", "--scenes", scenes, "--json", report, "--junit", junit
    )
    assert said.endswith("Total: 5  Passed: 2  Failed: 0  Skipped: 3\n"), said
    assert "case '24' skipped: needs 24 clusters, a2a3tiny has 8\n" in said
    skipped = {scene["name"]: scene["skipped"] for scene in json.loads(report.read_text())["scenes"]}
    assert {name: why for name, why in skipped.items() if why} == {
        f"{device}/foreign": "is for a5sim, not for a2a3tiny",
        f"{device}/large": "needs 67108864 bytes of device memory, a2a3tiny has 16777216",
        f"{device}/wide": "needs 24 clusters, a2a3tiny has 8",
    }
    assert junit.read_text().count("<skipped ") == 3 + 2  # and 24 and 36 clusters
    # All scenes are skipped: that is no success.
    words = ["-m", "chiphost", "ci", "-p", "a2a3tiny", "--scenes", scenes, "-k", "wide"]
    lib = str(out_of_tree["platform"] / "lib")
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CHIPHOST_RUNTIME_PATH": lib},
    )
    assert (done.returncode, done.stderr) == (2, "chiphost: nothing was run: all scenes are skipped on a2a3tiny\n")


def without_times(text: str) -> str:
    return re.sub(r" +\d+\.\d+ s", " TIME", text)


def test_the_guide_shows_what_ci_prints_on_a_small_chip(out_of_tree):
    """The scenes are chiphost's own, which name no platform of this project."""
    shown = (OUT_OF_TREE["platform"] / "ci.txt").read_text()
    said = ""
    for command in re.findall(r"^\$ chiphost (.*)$", shown, re.M):
        words = [*command.split(), "--scenes", ROOT / "tests" / "scenes"]
        said += f"$ chiphost {command}\n{chiphost(out_of_tree['platform'], *words)}"
    assert without_times(said) == without_times(shown)


def test_an_out_of_tree_platform_passes_the_conformance_suite(out_of_tree):
    said = chiphost(out_of_tree["platform"], "conform", "-p", "a2a3tiny")
    total = re.search(r"^Total: (\d+)  Passed: (\d+)  Listed: 0  Failed: 0$", said, re.M)
    assert total and int(total[1]) == int(total[2]) > 50, said


def test_a_port_begins_with_a_suite_that_has_nothing_to_find(cmake, tmp_path):
    """This follows the guide up to the first file that is taken over: then its functions are looked at."""
    source, build = tmp_path / "source", tmp_path / "build"
    shutil.copytree(ROOT / "tests" / "examples" / "begin_a_platform", source)
    options = (f"-Dchiphost_DIR={cmake_dir()}", *ninja())
    run(cmake, "-S", source, "-B", build, *options)
    run(
        cmake, "--build", build, "--target", "a2a3mychip_conform_conform", "a2a3mychip_conform_aicpu", "--parallel", "2"
    )
    said = chiphost(build, "conform", "-p", "a2a3mychip", "-k", "memory.")
    assert "Failed: 0" in said and "Passed: 0" in said
    null = cmake_dir().parent / "src" / "platform" / "null"
    for name in ("device.cpp", "unimplemented.h", "conformance.def"):
        shutil.copy(null / name, source)
    cmake_lists = source / "CMakeLists.txt"
    cmake_lists.write_text(cmake_lists.read_text().replace("BASED_ON null", "BASED_ON null HOST_SOURCES device.cpp"))
    device = source / "device.cpp"
    device.write_text(device.read_text().replace('unimplemented("open_device"', 'unimplemented("my own open_device"'))
    run(cmake, "--build", build, "--target", "a2a3mychip_conform_conform", "--parallel", "2")
    report = tmp_path / "report.json"
    chiphost(build, "conform", "-p", "a2a3mychip", "-k", "memory.open_and_close", "--json", report)
    assert "my own open_device" in json.loads(report.read_text())["tests"][0]["message"]


def test_a_description_of_a_platform_that_is_none_is_an_error(tmp_path, monkeypatch):
    import chiphost as ch
    from chiphost._compiling import host_toolchain
    from chiphost._runtimes import runtimes

    about = tmp_path / "a2a3moon" / "platform.json"
    about.parent.mkdir()
    monkeypatch.setenv("CHIPHOST_RUNTIME_PATH", str(tmp_path))
    for text in ("{", "[]", '{"arch": "a2a3"}', '{"arch": 3, "description": "moon"}'):
        about.write_text(text)
        with pytest.raises(ch.SceneError, match="does not describe a platform") as caught:
            ch.ChipWorker("host_build_graph", "a2a3moon")
        assert (caught.value.name, caught.value.where) == ("PLATFORM_UNKNOWN", str(about))
        with pytest.raises(ch.SceneError, match="does not describe a platform"):
            host_toolchain.arch("a2a3moon")
    # All other runtimes go on, and lists say what is wrong with this one.
    assert runtimes.find("host_build_graph", "a2a3sim").host.is_file()
    assert runtimes.platforms()["a2a3moon"].startswith(f"{about}: it does not describe a platform: ")
    neighbour = tmp_path / "a2a3mars" / "platform.json"
    neighbour.parent.mkdir()
    neighbour.write_text('{"arch": "a2a3", "description": "mars"}')
    assert runtimes.check_platform("a2a3mars") == "a2a3mars"
    assert host_toolchain.arch("a2a3mars") == "A2A3"
    with pytest.raises(
        ch.SceneError, match="wanted one of a2a3sim, a5sim, a2a3, a5, a2a3mars, a2a3moon; found 'a2a3pluto'"
    ):
        runtimes.check_platform("a2a3pluto")


def test_an_out_of_tree_platform_is_its_own(out_of_tree, monkeypatch):
    import chiphost as ch
    from chiphost._compiling import host_toolchain
    from chiphost._runtimes import runtimes

    with pytest.raises(ch.SceneError, match="a2a3tiny") as unknown:
        ch.ChipWorker("host_build_graph", "a2a3tiny")
    assert unknown.value.name == "PLATFORM_UNKNOWN"
    monkeypatch.setenv("CHIPHOST_RUNTIME_PATH", f"/nonexistent{os.pathsep}{out_of_tree['platform'] / 'lib'}")
    assert runtimes.platforms()["a2a3tiny"] == "a simulated chip of eight clusters and 16 MB"
    assert runtimes.installed()["a2a3tiny"] == ["host_build_graph", "tensormap_and_ringbuffer"]
    assert host_toolchain.arch("a2a3tiny") == "A2A3"
    from callables import chain, run_graph

    with ch.ChipWorker("host_build_graph", "a2a3tiny", isolation="copy") as worker:
        assert worker.platform == "a2a3tiny"
        assert worker.chip == ch.Chip(clusters=8, aicpu_threads=2, memory_bytes=16 << 20)
        run_graph(worker, *chain(3))  # a run that names no clusters and threads takes all of them
        with pytest.raises(ch.ConfigError, match="block_dim: wanted 1 to 8 on tiny, found 9") as caught:
            run_graph(worker, *chain(3), block_dim=9)
        assert caught.value.hint.startswith("change block_dim= of run() or CallConfig, or 'block_dim' in the config")
        with pytest.raises(ch.ConfigError, match="aicpu_thread_num: wanted 1 to 2 on tiny, found 3"):
            run_graph(worker, *chain(3), aicpu_thread_num=3)
        with pytest.raises(ch.ConfigError, match="ring_heap_bytes: wanted at most the chip's 16777216") as caught:
            run_graph(worker, *chain(3), ring_heap_bytes=17 << 20)
    assert "change ring_heap_bytes=" in caught.value.hint and "CHIPHOST_RING_HEAP_BYTES" in caught.value.hint


def test_an_out_of_tree_runtime_stands_before_one_of_that_name(out_of_tree, monkeypatch, tmp_path):
    from chiphost._runtimes import runtimes

    built = out_of_tree["runtime"] / "lib" / "a2a3sim" / "repeat"
    shutil.copytree(built, tmp_path / "a2a3sim" / "host_build_graph")
    monkeypatch.setenv("CHIPHOST_RUNTIME_PATH", str(tmp_path))
    assert runtimes.find("host_build_graph", "a2a3sim").host == tmp_path / "a2a3sim" / "host_build_graph" / "host.so"
    assert runtimes.find("aicpu_build_graph", "a2a3sim").host.is_relative_to(runtimes.library_dir())


def test_a_runtime_is_found_when_it_is_built_after_a_first_look(monkeypatch, tmp_path):
    import chiphost as ch
    from chiphost._runtimes import runtimes

    own = runtimes.find("host_build_graph", "a2a3sim")
    monkeypatch.setenv("CHIPHOST_RUNTIME_PATH", str(tmp_path))
    with pytest.raises(ch.SceneError) as unknown:
        ch.ChipWorker("late", "a2a3sim")
    assert unknown.value.name == "RUNTIME_UNKNOWN"
    assert runtimes.find("host_build_graph", "a2a3sim") == own
    for name in ("late", "host_build_graph"):
        shutil.copytree(own.host.parent, tmp_path / "a2a3sim" / name)
    with ch.ChipWorker("late", "a2a3sim") as worker:
        assert worker.platform == "a2a3sim"
    assert runtimes.find("host_build_graph", "a2a3sim").host.is_relative_to(tmp_path)  # it stands before chiphost's own
    shutil.rmtree(tmp_path / "a2a3sim")
    assert runtimes.find("host_build_graph", "a2a3sim") == own
    with pytest.raises(ch.SceneError):
        runtimes.find("late", "a2a3sim")


@pytest.mark.parametrize(
    ("name", "target"), [("conformance.def", "conform_conform"), ("shared/orch_so_file.h", "tiny_aicpu_port")]
)
def test_a_file_that_is_added_after_a_build_is_noticed(cmake, tmp_path, name, target):
    """The file takes the place of one of chiphost's, so every source that includes it is compiled again."""
    source, build = tmp_path / "source", tmp_path / "build"
    shutil.copytree(OUT_OF_TREE["platform"], source)
    run(cmake, "-S", source, "-B", build, f"-Dchiphost_DIR={cmake_dir()}", *ninja())
    files = {
        "conform_conform": "conformance_library.cpp.o",
        "tiny_aicpu_port": "orch_so_loader.cpp.o",
    }
    objects = run(tool("ninja"), "-C", build, "-t", "targets", "all").splitlines()
    made = [line.partition(":")[0] for line in objects if target in line and files[target] in line]
    run(cmake, "--build", build, "--target", made[0])
    (source / name).parent.mkdir(exist_ok=True)
    (source / name).write_text("#error this file is new\n")
    done = subprocess.run([cmake, "--build", build, "--target", made[0]], capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert "this file is new" in done.stdout + done.stderr

# SPDX-License-Identifier: Apache-2.0
"""The CMake package, and the examples of the guides that use it: isolated libraries, a runtime, a platform."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from cmake_tools import ninja, run, tool

from chiphost._cli.program import cli

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "tests" / "examples" / "isolate_library"
OUTPUT = re.compile(
    r"total level 31375\n"
    r"[1-9]\d* in namespaces, the next is a copy\n"
    r"unloaded, namespace free again\n"
    r"an exception came out: an inflow is negative\n"
    r"40\n"
)

pytestmark = pytest.mark.timeout(1800)  # projects are built


def cmake_dir() -> Path:
    result = CliRunner().invoke(cli, ["cmake-dir"])
    assert result.exit_code == 0, result.output
    return Path(result.stdout.strip())


@pytest.fixture(scope="module")
def cmake() -> str:
    return tool("cmake")


@pytest.fixture(scope="module")
def build(cmake: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("isolate_library")
    run(cmake, "-S", EXAMPLE, "-B", folder, f"-Dchiphost_DIR={cmake_dir()}", "-DCMAKE_BUILD_TYPE=Release", *ninja())
    run(cmake, "--build", folder)
    return folder


def test_the_cpp_example_runs(build):
    assert OUTPUT.fullmatch(run(build / "fifty_tanks", build / "tank.so"))


def test_the_python_example_runs(build):
    assert OUTPUT.fullmatch(run(sys.executable, EXAMPLE / "fifty_tanks.py", build / "tank.so"))


def test_an_anchor_beside_the_program_is_preferred(build, tmp_path):
    program = shutil.copy(build / "fifty_tanks", tmp_path / "fifty_tanks")
    (tmp_path / "chiphost_anchor.so").write_text("no library")
    done = subprocess.run([program, build / "tank.so"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert f"NOT_ELF: {tmp_path}/chiphost_anchor.so" in done.stderr


def test_the_package_is_found_below_a_prefix(cmake, build, tmp_path):
    # As `cmake --install --prefix` lays it out.
    shutil.copytree(
        cmake_dir().parent, tmp_path / "prefix" / "chiphost", ignore=shutil.ignore_patterns("*.py*", "scenes")
    )
    run(cmake, "-S", EXAMPLE, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={tmp_path / 'prefix'}", *ninja())
    run(cmake, "--build", tmp_path / "build")
    assert OUTPUT.fullmatch(run(tmp_path / "build" / "fifty_tanks", build / "tank.so"))


def test_sources_come_with_what_they_include():
    sources = cmake_dir().parent / "src"
    files = [path for path in sources.rglob("*") if path.suffix in (".h", ".cpp")]
    roots = [sources / folder for folder in ("", "cpp", "cpp/include", "platform", "platform/include")]
    missing = []
    for path in files:
        # A platform's own headers, and those of the tests beside the suite.
        folders = [*roots, *path.parents[: len(path.relative_to(sources).parts)]]
        for name in re.findall(r'^#include "([^"]+)"', path.read_text(), re.M):
            # Each platform has a conformance.def of its own.
            if name != "conformance.def" and not any((folder / name).is_file() for folder in folders):
                missing.append(f"{path.relative_to(sources)}: {name}")
    assert len(files) > 100
    assert not missing


def test_an_unknown_component_is_an_error(cmake, tmp_path):
    said = refusal(cmake, tmp_path, "project(p CXX)\nfind_package(chiphost REQUIRED COMPONENTS magic)\n")
    assert "chiphost has no component magic; it has isolate, runtime, platform, orchestration, kernel" in said


@pytest.mark.parametrize(
    ("type_of_function", "words"),
    [
        ("void(void (*)(int))", "must not be called by an isolated library"),
        ("void(Pair)", "structures by value are not supported"),
        ("Pair()", "structures by value are not supported"),
        ("void(const int&)", "takes no references"),
        ("long double(int)", "long double is not supported"),
        ("int(const char*, ...)", "wanted a function type without ..."),
    ],
)
def test_what_cannot_be_passed_does_not_compile(type_of_function, words, tmp_path):
    from chiphost import toolchain
    from chiphost._compiling import host_toolchain

    source = tmp_path / "refused.cpp"
    source.write_text(
        "#include <chiphost/isolate/library.h>\nstruct Pair { int a, b; };\n"
        f'void use(chiphost::isolate::Library l) {{ l.function<{type_of_function}>("f"); }}\n'
    )
    compiler = host_toolchain.find_compiler()
    command = [*compiler.command, "-std=c++17", "-fsyntax-only", f"-I{toolchain.include_dir()}", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert words in done.stderr


def marked(path: Path) -> dict[str, str]:
    """What is between two lines that have the same mark, such as `// [copies]`."""
    return {
        match[1]: match[2].strip("\n")
        for match in re.finditer(r"^(?://|#) \[(\w+)\]\n(.*?)^(?://|#) \[\1\]$", path.read_text(), re.M | re.S)
    }


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
    """On eight clusters with 16 MB, of scenes that were written for larger chips."""
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
    # Nothing but what is skipped: that is no success.
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
    """Of chiphost's own scenes, which name no platform of this project."""
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
    """As the guide says, up to the first file that is taken over: then its functions are looked at."""
    source, build = tmp_path / "source", tmp_path / "build"
    shutil.copytree(EXAMPLE.parent / "begin_a_platform", source)
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
    # All others go on, and lists say what is wrong with this one.
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
        run_graph(worker, *chain(3))  # without a word of clusters and threads it takes what there is
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
    ("line", "words"),
    [
        (
            "chiphost_add_runtime(NAME mine ARCH a2a3 PLATFORM sim)",
            "mine has no SOURCES; the runtimes that need none are aicpu_build_graph, host_build_graph, tensor",
        ),
        (
            "chiphost_add_runtime(NAME mine ARCH a2a3 PLATFORM moon SOURCES a.cpp)",
            "there is no platform 'moon'; there are null, onboard, sim; chiphost_add_platform makes one",
        ),
        ("chiphost_add_runtime(NAME r ARCH a2a3 PLATFORM a2a3sim SOURCES a.cpp)", "a2a3sim is ARCH a2a3 PLATFORM sim"),
        ("chiphost_add_runtime(NAME r ARCH a5 PLATFORM a5 SOURCES a.cpp)", "a5 is ARCH a5 PLATFORM onboard"),
        ("chiphost_add_runtime(NAME r ARCH A5 PLATFORM sim SOURCES a.cpp)", "wanted ARCH in small letters"),
        ("chiphost_add_runtime(NAME mine ARCH a1 PLATFORM sim SOURCES a.cpp)", "there is no chip 'a1'"),
        ("chiphost_add_runtime(ARCH a2a3 PLATFORM sim SOURCES a.cpp)", "wanted NAME (an identifier)"),
        ("chiphost_add_runtime(NAME a-b ARCH a2a3 PLATFORM sim SOURCES a.cpp)", "wanted NAME (an identifier)"),
        ("chiphost_add_conformance(ARCH a2a3 PLATFORM moon)", "there is no platform 'moon'"),
        ("chiphost_add_conformance(PLATFORM sim)", "wanted one ARCH and one PLATFORM; found PLATFORM;sim"),
        ("chiphost_add_conformance(ARCH a2a3 a5 PLATFORM sim)", "wanted one ARCH and one PLATFORM; found ARCH;a2a3;a5"),
        ("chiphost_add_platform(NAME moon HOST_SOURCES a.cpp)", "moon has no AICPU_SOURCES"),
        (
            "chiphost_add_platform(NAME moon BASED_ON mars)",
            "there is no platform 'mars' to be BASED_ON; there are null, onboard, sim",
        ),
        (
            "chiphost_add_platform(NAME moon BASED_ON onboard)",
            "cannot be BASED_ON onboard: the device programs of real",
        ),
        ("chiphost_add_platform(NAME moon BASED_ON sim CHIP no.cpp)", "the CHIP of moon is missing: /"),
        ("chiphost_add_platform(NAME moon BASED_ON sim FOLDER no)", "the FOLDER of moon is missing: /"),
        ('chiphost_add_platform(NAME moon BASED_ON sim DESCRIPTION "a\tb")', "has a line break or another control"),
        ('chiphost_add_platform(NAME moon BASED_ON sim DESCRIPTION "a\nb")', "has a line break or another control"),
        ("chiphost_add_platform(NAME sim BASED_ON null)", "found 'sim', which /"),
        (
            "chiphost_add_platform(NAME moon BASED_ON sim)\nchiphost_add_platform(NAME moon BASED_ON null)",
            "CMakeLists.txt has added",
        ),
        ("chiphost_add_kernel(NAME k SOURCE k.cpp CORE gpu)", "CORE (aic or aiv)"),
        ("chiphost_add_kernel(NAME k SOURCE k.cpp CORE aiv ARCH a1)", "there is no chip 'a1', and no platform here"),
        ("chiphost_add_kernel(NAME k SOURCE k.cpp CORE aiv ARCH a-2)", "wanted ARCH in small letters"),
        ("chiphost_add_orchestration(NAME o SOURCE o.cpp)", "wanted NAME, SOURCE and RUNTIME"),
        ("chiphost_add_orchestration(NAME o SOURCE o.cpp RUNTIME a-b)", "RUNTIME (an identifier)"),
    ],
)
def test_wrong_use_of_the_functions_is_an_error(line, words, cmake, tmp_path):
    assert words in refusal(cmake, tmp_path, f"project(p CXX)\nfind_package(chiphost REQUIRED)\n{line}\n")


@pytest.mark.parametrize(
    ("name", "target"), [("conformance.def", "conform_conform"), ("shared/orch_so_file.h", "tiny_aicpu_port")]
)
def test_a_file_that_is_added_after_a_build_is_noticed(cmake, tmp_path, name, target):
    """It stands before one of chiphost, so what includes it is compiled again."""
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


def test_sources_that_platforms_share_are_named_by_where_they_are_in_chiphost(cmake, tmp_path):
    """As long as the platform has none of that name."""
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.20)\nproject(p CXX)\nfind_package(chiphost REQUIRED)\n"
        "chiphost_add_platform(NAME moon BASED_ON null AICPU_SOURCES shared/orch_so_file.cpp sim/fiber.cpp)\n"
        'message("found ${chiphost_moon_aicpu_sources}")\n'
    )
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "fiber.cpp").touch()
    done = subprocess.run(
        [cmake, "-S", tmp_path, "-B", tmp_path / "build", f"-Dchiphost_DIR={cmake_dir()}", *ninja()],
        capture_output=True,
        text=True,
        timeout=300,
    )
    found = re.search(r"^found (.*)$", done.stderr, re.M)
    assert found, done.stderr
    shared, fiber, *rest = map(Path, found[1].split(";"))
    assert shared.parts[-3:] == ("platform", "shared", "orch_so_file.cpp") and shared.is_file()
    assert fiber == tmp_path / "sim" / "fiber.cpp"
    assert {path.name for path in rest} == {"aicpu_port.cpp", "orch_so_loader.cpp"}


def test_a_project_without_cpp_is_an_error(cmake, tmp_path):
    said = refusal(cmake, tmp_path, "project(p C)\nfind_package(chiphost REQUIRED)\n")
    assert "name CXX among the LANGUAGES of project()" in said


def test_folders_of_a_project_find_the_package_each_for_itself(cmake, tmp_path):
    """With a platform of their own, whose description any text may be but for control characters."""
    text = 'semi;colon "quoted" \\ and [brackets'
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        platform = (
            f'chiphost_add_platform(NAME {name} BASED_ON sim DESCRIPTION [==[{text}]==] HOST_SOURCES "a.cpp;b.cpp")'
        )
        runtime = f"chiphost_add_runtime(NAME host_build_graph ARCH a2a3 PLATFORM {name})"
        (tmp_path / name / "CMakeLists.txt").write_text(f"find_package(chiphost REQUIRED)\n{platform}\n{runtime}\n")
        (tmp_path / name / "a.cpp").write_text("")
        (tmp_path / name / "b.cpp").write_text("")
    done = configure(cmake, tmp_path, "project(p CXX)\nadd_subdirectory(one)\nadd_subdirectory(two)\n")
    assert done.returncode == 0, done.stderr
    for name in ("one", "two"):
        about = json.loads((tmp_path / "build" / "lib" / f"a2a3{name}" / "platform.json").read_text())
        assert about == {"arch": "a2a3", "description": text}


KERNEL_LISTS = """
find_package(chiphost REQUIRED COMPONENTS kernel)
chiphost_add_kernel(NAME k SOURCE k.cpp CORE aiv)
"""
SAID = "chiphost: CMAKE_BUILD_TYPE is not set: it is Release"


@pytest.mark.parametrize(
    ("before", "options", "optimised", "words"),
    [
        ("", [], True, SAID),
        ("", ["-DCMAKE_BUILD_TYPE="], True, SAID),
        ("set(CMAKE_BUILD_TYPE)\n", [], True, SAID),
        ("", ["-DCMAKE_BUILD_TYPE=Debug"], False, None),
        ("set(CMAKE_BUILD_TYPE RelWithDebInfo)\n", [], True, None),
    ],
)
def test_what_has_no_build_type_is_optimised(cmake, monkeypatch, tmp_path, before, options, optimised, words):
    monkeypatch.delenv("CMAKE_BUILD_TYPE", raising=False)
    (tmp_path / "k.cpp").touch()
    options = [*options, "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"]
    done = configure(cmake, tmp_path, f"project(p CXX)\n{before}{KERNEL_LISTS}", *options)
    assert done.returncode == 0, done.stderr
    assert words in done.stdout if words else "CMAKE_BUILD_TYPE" not in done.stdout
    assert bool(re.search(r" -O[23] ", (tmp_path / "build" / "compile_commands.json").read_text())) == optimised
    again = configure(cmake, tmp_path, f"project(p CXX)\n{before}{KERNEL_LISTS}", *options)
    assert again.returncode == 0, again.stderr
    assert bool(re.search(r" -O[23] ", (tmp_path / "build" / "compile_commands.json").read_text())) == optimised


def test_a_part_of_another_project_is_built_as_that_one_wants(cmake, monkeypatch, tmp_path):
    monkeypatch.delenv("CMAKE_BUILD_TYPE", raising=False)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "k.cpp").touch()
        lists = f"project({name} CXX)\n{KERNEL_LISTS}".replace("NAME k", f"NAME {name}_k")
        (tmp_path / name / "CMakeLists.txt").write_text(lists)
    lists = "project(p CXX)\nadd_subdirectory(one)\nadd_subdirectory(two)\n"
    done = configure(cmake, tmp_path, lists, "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("CMAKE_BUILD_TYPE is not set: what is built is not optimised") == 1
    assert not re.search(r" -O[23] ", (tmp_path / "build" / "compile_commands.json").read_text())


def configure(cmake: str, folder: Path, lines: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "CMakeLists.txt").write_text(f"cmake_minimum_required(VERSION 3.20)\n{lines}")
    command = [cmake, "-S", folder, "-B", folder / "build", f"-Dchiphost_DIR={cmake_dir()}", *ninja(), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def refusal(cmake: str, folder: Path, lines: str) -> str:
    """What CMake says, without line breaks."""
    done = configure(cmake, folder, lines)
    assert done.returncode != 0
    return " ".join(done.stderr.split())


def test_the_folder_of_the_installation_may_be_called_as_one_of_its_own(cmake, tmp_path):
    """Which sources have a runtime's name in them is told by their names below it."""
    package = tmp_path / "runtimes" / "chiphost"
    for part in ("cmake", "src"):
        shutil.copytree(cmake_dir().parent / part, package / part)
    lists = "cmake_minimum_required(VERSION 3.20)\nproject(p CXX)\nfind_package(chiphost REQUIRED COMPONENTS runtime)\n"
    (tmp_path / "CMakeLists.txt").write_text(
        f"{lists}chiphost_add_runtime(NAME host_build_graph ARCH a2a3 PLATFORM sim)\n"
        'chiphost_split_sources("${chiphost_host_sources};${chiphost_runtime_host_build_graph_sources}" named others)\n'
        'message(STATUS "named: ${named}")\n'
    )
    done = run(cmake, "-S", tmp_path, "-B", tmp_path / "build", f"-Dchiphost_DIR={package / 'cmake'}", *ninja())
    named = next(line for line in done.splitlines() if "named: " in line)
    assert re.findall(r"(\w+)\.cpp", named) == ["host_runtime", "host_build_graph"]


def test_the_cpp_tests_say_what_they_need(cmake, tmp_path):
    options = ("-DCHIPHOST_TESTS=ON", "-DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON", *ninja())
    done = subprocess.run(
        [cmake, "-S", ROOT, "-B", tmp_path, *options], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0
    assert "The C++ tests need GoogleTest (Debian: libgtest-dev" in " ".join(done.stderr.split())


# The vendor's compiler and its linker are looked for when CMake configures: here only by the file that does it.

LOOK = """
include("${FILE}")
message(STATUS "ccec: ${CHIPHOST_CCEC}; ld.lld: ${CHIPHOST_CCEC_LD}; aicpu: ${CHIPHOST_AICPU_CXX}")
foreach(arch IN ITEMS a2a3 a5)  # a script has no targets: only for what is left out
    if(NOT CHIPHOST_AICPU_CXX)
        chiphost_add_aicpu_program(${arch} aicpu)
    endif()
    if(NOT CHIPHOST_CCEC OR NOT CHIPHOST_CCEC_LD)
        chiphost_add_aicore_program(${arch} aicore)
    endif()
endforeach()
"""
SDK = ("ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME")


@pytest.fixture
def look(cmake, tmp_path, monkeypatch):
    """A function that looks for the compilers: with these definitions and variables, and a PATH with `bin` alone."""
    for name in SDK:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "look.cmake").write_text(LOOK)

    def function(*definitions, **environment):
        environment = {"PATH": str(tmp_path / "bin"), **environment}
        file = f"-DFILE={cmake_dir() / 'ChiphostDevice.cmake'}"
        # Nothing of this machine: it may have a compiler for aarch64, and a linker of that name.
        none = "-DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=FALSE"
        return run(cmake, file, none, *definitions, "-P", tmp_path / "look.cmake", **environment)

    return function


def make_tools(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)


@pytest.mark.parametrize("variable", SDK)
def test_the_vendors_compilers_are_looked_for_where_either_variable_says(look, tmp_path, variable):
    make_tools(tmp_path / "bin", "ccec", "ld.lld")
    sdk = tmp_path / "sdk"
    make_tools(sdk / "bin", "ccec", "ld.lld")
    make_tools(sdk / "tools/hcc/bin", "aarch64-target-linux-gnu-g++")
    environment = dict.fromkeys(SDK, "") | {variable: str(sdk)}
    found = look(**environment)
    assert f"ccec: {sdk}/bin/ccec; ld.lld: {sdk}/bin/ld.lld; aicpu: {sdk}/tools/hcc/bin/aarch64-target-" in found


def test_the_linker_is_the_one_beside_the_compiler(look, tmp_path):
    """Not another one that is on PATH."""
    compiler = tmp_path / "toolkit" / "bin"
    make_tools(compiler, "ccec", "ld.lld")
    make_tools(tmp_path / "bin", "ld.lld")
    (tmp_path / "bin" / "ccec").symlink_to(compiler / "ccec")
    assert f"ccec: {tmp_path}/bin/ccec; ld.lld: {compiler}/ld.lld;" in look(ASCEND_HOME_PATH="")
    (compiler / "ld.lld").unlink()
    found = look(ASCEND_HOME_PATH="")
    assert "ld.lld: CHIPHOST_CCEC_LD-NOTFOUND" in found
    words = "the AICore programs of real chips are left out: no ld.lld (CHIPHOST_CCEC_LD) in "
    assert found.count(f"{words}{compiler}, where ccec is") == 1
    assert "ld.lld: /a/linker;" in look("-DCHIPHOST_CCEC_LD:FILEPATH=/a/linker")


def test_what_is_left_out_for_lack_of_a_compiler_is_said_once(look, tmp_path):
    found = look()
    for processor, lacks in (
        ("AICPU", "compiler for aarch64 (CHIPHOST_AICPU_CXX)"),
        ("AICore", "ccec (CHIPHOST_CCEC)"),
    ):
        words = f"the {processor} programs of real chips are left out: no {lacks} on PATH, "
        assert found.count(f"{words}neither ASCEND_HOME_PATH nor ASCEND_TOOLKIT_HOME is set") == 1
        assert f"{words}nor in {tmp_path}" in look(ASCEND_TOOLKIT_HOME=str(tmp_path))
    assert "are left out: CHIPHOST_AICPU_CXX is empty" in look("-DCHIPHOST_AICPU_CXX:FILEPATH=")


def test_a_binary_of_a_file_that_is_not_there_is_an_error(tmp_path):
    import chiphost as ch

    with pytest.raises(ch.ArgumentError, match="cannot be read: No such file") as caught:
        ch.Binary.from_file(tmp_path / "none.so")
    assert caught.value.where == str(tmp_path / "none.so")


SHOWN = {
    "isolate-a-library.md": ("isolate_library", ("CMakeLists.txt", "tank.cpp", "fifty_tanks.cpp", "fifty_tanks.py")),
    "isolate-simplers-runtimes.md": ("isolate_simpler", ("simpler_runtimes.py",)),
    "write-a-runtime.md": ("out_of_tree_runtime", ("CMakeLists.txt", "repeat.cpp", "run.py")),
}
SHOWN_FILES = [(guide, folder, name) for guide, (folder, names) in SHOWN.items() for name in names]
SHOWN_FILES += [
    ("port-a-platform.md", folder, "CMakeLists.txt") for folder in ("out_of_tree_platform", "begin_a_platform")
]


@pytest.mark.parametrize(("guide", "folder", "name"), SHOWN_FILES)
def test_the_guide_shows_what_runs(guide, folder, name):
    page = (ROOT / "docs" / "guides" / guide).read_text()
    snippets = marked(EXAMPLE.parent / folder / name)
    assert snippets
    for mark, text in snippets.items():
        assert f"\n{text}\n```" in page, f"{guide} has another text of [{mark}] of {name}"

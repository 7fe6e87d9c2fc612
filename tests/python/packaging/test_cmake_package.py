# SPDX-License-Identifier: Apache-2.0
"""The CMake package: how it is found, and the arguments that its functions take and refuse."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from checkout import ROOT
from cmake_tools import cmake_dir, ninja, run

from chiphost._runtimes.platforms import Platform, read_platform

pytestmark = pytest.mark.timeout(1800)  # projects are built


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
        (
            "file(MAKE_DIRECTORY moon)\nfile(WRITE a.cpp)\n"
            "chiphost_add_platform(NAME moon FOLDER moon HOST_SOURCES a.cpp AICPU_SOURCES a.cpp AICORE_SOURCES a.cpp)\n"
            "chiphost_add_conformance(ARCH a2a3 PLATFORM moon)",
            "moon has no conformance.def, which may be empty: there is none of /",
        ),
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
        (
            "chiphost_add_platform(NAME moon BASED_ON sim KIND virtual)",
            "wanted KIND simulated or real for moon; found 'virtual'",
        ),
        ("chiphost_add_platform(NAME moon BASED_ON sim KIND)", "wanted a value of KIND for moon; found none"),
        ('chiphost_add_platform(NAME moon BASED_ON sim KIND "${none}")', "wanted a value of KIND for moon; found none"),
        ("chiphost_add_platform(NAME moon BASED_ON sim CHIP)", "wanted a value of CHIP for moon; found none"),
        ('chiphost_add_platform(NAME moon BASED_ON "")', "wanted a value of BASED_ON for moon; found none"),
        (
            "chiphost_add_platform(NAME moon BASED_ON sim SDK_VARIABLES MOON_HOME $HOME)",
            "wanted names of environment variables as the SDK_VARIABLES of moon; found '$HOME'",
        ),
        ('chiphost_add_platform(NAME moon BASED_ON sim SOFTWARE "a\nb")', "the SOFTWARE of moon has a line break"),
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


def test_sources_that_platforms_share_are_named_by_where_they_are_in_chiphost(cmake, tmp_path):
    """This holds as long as the platform has no file of that name."""
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
    """Each folder has a platform of its own, whose description may be any text without control characters."""
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
        assert about == {
            "arch": "a2a3",
            "description": text,
            "kind": "simulated",
            "programs": "host",
            "software": "",
            "sdk_variables": [],
        }


def test_a_platform_says_that_it_is_a_real_chip_and_so_does_one_that_is_based_on_it(cmake, tmp_path):
    done = configure(
        cmake,
        tmp_path,
        "project(p CXX)\nfind_package(chiphost REQUIRED)\n"
        'chiphost_add_platform(NAME moon BASED_ON sim KIND real DESCRIPTION moon SOFTWARE [[the "moon" driver]]\n'
        "                      SDK_VARIABLES MOON_HOME MOON_ROOT)\n"
        "chiphost_add_platform(NAME later BASED_ON moon)\n"
        "chiphost_add_platform(NAME model BASED_ON moon KIND simulated SDK_VARIABLES MODEL_HOME)\n"
        "chiphost_add_runtime(NAME host_build_graph ARCH a2a3 PLATFORM moon later model sim)\n",
    )
    assert done.returncode == 0, done.stderr
    found = {path.parent.name: read_platform(path) for path in (tmp_path / "build" / "lib").glob("*/platform.json")}
    software = 'the "moon" driver'
    assert found == {  # the package describes a2a3sim
        "a2a3moon": Platform("a2a3moon", "a2a3", "moon", True, False, software, ("MOON_HOME", "MOON_ROOT")),
        "a2a3later": Platform("a2a3later", "a2a3", "a2a3later", True, False, software, ("MOON_HOME", "MOON_ROOT")),
        "a2a3model": Platform("a2a3model", "a2a3", "a2a3model", False, False, software, ("MODEL_HOME",)),
    }


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
    """CMake's error, without line breaks."""
    done = configure(cmake, folder, lines)
    assert done.returncode != 0
    return " ".join(done.stderr.split())


def test_the_folder_of_the_installation_may_be_called_as_one_of_its_own(cmake, tmp_path):
    """A source that has a runtime's name is recognised by its name below the folder of the installation."""
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
    assert re.findall(r"(\w+)\.cpp", named) == ["host_runtime", "host_build_graph", "host_orchestration"]


def test_the_cpp_tests_say_what_they_need(cmake, tmp_path):
    options = ("-DCHIPHOST_TESTS=ON", "-DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON", *ninja())
    done = subprocess.run(
        [cmake, "-S", ROOT, "-B", tmp_path, *options], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0
    assert "The C++ tests need GoogleTest (Debian: libgtest-dev" in " ".join(done.stderr.split())

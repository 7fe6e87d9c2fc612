# SPDX-License-Identifier: Apache-2.0
"""A platform of another project that says that it is a real chip. Its device opens where its software is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from callables import FOLDER
from cmake_tools import cmake_dir, ninja, run, tool
from invocation import invoke

import chiphost as ch
from chiphost._machine import chips
from chiphost._runtimes import runtimes
from chiphost._runtimes.strategy import default_isolation
from chiphost.compiler import kernel_job

pytestmark = pytest.mark.timeout(1800)  # a project is built

RUNTIME = "host_build_graph"
SOFTWARE = "the moon's driver"
LISTS = f"""
cmake_minimum_required(VERSION 3.20)
project(moon LANGUAGES CXX)
find_package(chiphost REQUIRED COMPONENTS runtime platform)
chiphost_add_platform(NAME moon BASED_ON null HOST_SOURCES device.cpp DESCRIPTION "the moon" KIND real
                      SOFTWARE "{SOFTWARE}" SDK_VARIABLES MOON_HOME MOON_ROOT)
chiphost_add_runtime(NAME {RUNTIME} ARCH a2a3 PLATFORM moon)
chiphost_add_conformance(ARCH a2a3 PLATFORM moon)
"""
# The null platform's device, which opens if there is a folder, and says where it has looked if there is none.
OPEN_DEVICE = """
int32_t open_device(const ch_device_options& options, Device** out_device, ch_error* out_error) {
    if (!options.sdk_folder) return report(out_error, CH_PLATFORM_FAILED, "moon", "no driver; no variable is set");
    if (access(options.sdk_folder, R_OK) != 0) {
        return report(out_error, CH_PLATFORM_FAILED, "moon", "no driver; looked in %s (%s)", options.sdk_folder,
                      options.sdk_variable ? options.sdk_variable : "");
    }
    *out_device = new Device;
    return CH_OK;
}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the platform."""
    source = tmp_path_factory.mktemp("moon")
    null = (cmake_dir().parent / "src" / "platform" / "null" / "device.cpp").read_text()
    before, _, after = null.partition("int32_t open_device(")
    device = before + OPEN_DEVICE + after.partition("}\n")[2]
    (source / "device.cpp").write_text(f'#include <unistd.h>\n\n#include "status/report.h"\n{device}')
    (source / "CMakeLists.txt").write_text(LISTS)
    build = source / "build"
    run(tool("cmake"), "-S", source, "-B", build, f"-Dchiphost_DIR={cmake_dir()}", *ninja())
    run(tool("cmake"), "--build", build, "--parallel", "2")
    return build / "lib"


@pytest.fixture
def moon(built: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The platform in this process, without its software."""
    monkeypatch.setenv("CHIPHOST_RUNTIME_PATH", str(built))
    for name in ("MOON_HOME", "MOON_ROOT"):
        monkeypatch.delenv(name, raising=False)
    return "a2a3moon"


def test_it_is_one_of_the_real_chips(moon: str) -> None:
    assert runtimes.platforms()[moon] == "the moon"
    about = runtimes.real_chips()[moon]
    assert (about.software, about.sdk_variables) == (SOFTWARE, ("MOON_HOME", "MOON_ROOT"))
    assert runtimes.installed()[moon] == [RUNTIME]
    assert default_isolation(moon) == "copy"
    assert list(runtimes.real_chips()) == ["a2a3", "a5", moon]


@pytest.mark.parametrize("isolation", ["copy", "process"])
def test_the_first_variable_that_is_set_names_its_folder(
    moon: str, isolation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASCEND_HOME_PATH", str(tmp_path))  # of another platform
    with pytest.raises(ch.PlatformError, match="no variable is set"):
        ch.ChipWorker(RUNTIME, moon, isolation=isolation)
    monkeypatch.setenv("MOON_ROOT", "/nowhere/root")
    monkeypatch.setenv("MOON_HOME", "")  # counts as unset
    with pytest.raises(ch.PlatformError, match=r"looked in /nowhere/root \(MOON_ROOT\)"):
        ch.ChipWorker(RUNTIME, moon, isolation=isolation)
    monkeypatch.setenv("MOON_HOME", "/nowhere/home")
    with pytest.raises(ch.PlatformError, match=r"looked in /nowhere/home \(MOON_HOME\)"):
        ch.ChipWorker(RUNTIME, moon, isolation=isolation)
    monkeypatch.setenv("MOON_HOME", str(tmp_path))
    with ch.ChipWorker(RUNTIME, moon, isolation=isolation) as worker:
        assert worker.platform == moon


def test_doctor_has_a_row_for_it_among_the_chips(moon: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOON_HOME", "/nowhere")
    report = tmp_path / "doctor.json"
    result = invoke("doctor", "--details", "--json", report)
    assert result.exit_code == 0, result.output
    assert f"  -     {moon}: no driver; looked in /nowhere (MOON_HOME)" in result.stdout.splitlines()
    assert "MOON_HOME=/nowhere, MOON_ROOT is not set, LD_LIBRARY_PATH" in result.stdout
    found = json.loads(report.read_text())
    assert moon not in found["platforms"]  # which are those without a chip
    assert [each["platform"] for each in found["chips"]["chips"]] == ["a2a3", "a5", moon]
    monkeypatch.setenv("MOON_HOME", str(tmp_path))
    assert [each.ok for each in chips.look().chips if each.platform == moon] == [True]


@pytest.mark.parametrize("words", [("ci",), ("conform", "-k", "memory.")])
def test_a_command_without_its_software_says_what_is_to_be_done(moon: str, words: tuple[str, ...]) -> None:
    """It opens the device once, before the first scene or test."""
    result = invoke(words[0], "-p", moon, *words[1:])
    assert (result.exit_code, result.stdout) == (2, "")
    said = " ".join(result.stderr.split())
    assert f"PLATFORM_FAILED (608): {moon}: no driver; no variable is set" in said
    assert "-p a2a3sim runs the same on a simulated chip" in said
    assert f"install what is missing of {SOFTWARE}, name its folder in MOON_HOME, and try" in said


def test_the_suite_gets_the_folder(moon: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOON_ROOT", str(tmp_path))
    report = tmp_path / "report.json"
    invoke("conform", "-p", moon, "-k", "memory.open_and_close", "--json", report)
    [test] = json.loads(report.read_text())["tests"]
    assert "no driver" not in test["message"]


def test_its_programs_are_compiled_by_the_compiler_of_this_machine(moon: str) -> None:
    kernel = ch.Kernel(0, FOLDER / "touch.cpp", "aiv")
    assert [kernel_job(kernel, platform).target for platform in (moon, "a2a3")] == ["host", "core"]
    assert ch.compile(FOLDER / "copy_tensor.cpp", [kernel], platform=moon).platform == moon

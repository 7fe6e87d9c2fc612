# SPDX-License-Identifier: Apache-2.0
"""Runtimes that `chiphost ci` builds from source."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from invocation import last_line
from program import finish
from throwaway_scenes import RUNTIME, write_scenes

from chiphost._runtimes import runtimes

# A project that "builds" the runtimes by copying the installed ones.
CHECKOUT = """
cmake_minimum_required(VERSION 3.20)
project(chiphost LANGUAGES NONE)
foreach(program IN ITEMS host aicpu aicore)
    set(to "${CMAKE_BINARY_DIR}/lib/a2a3sim/fresh/${program}.so")
    set(from "${CMAKE_SOURCE_DIR}/${program}.so")
    add_custom_command(OUTPUT "${to}" DEPENDS "${from}" COMMAND ${CMAKE_COMMAND} -E copy "${from}" "${to}")
    list(APPEND programs "${to}")
endforeach()
add_custom_target(programs ALL DEPENDS ${programs})
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if not shutil.which("cmake"):
        pytest.skip("there is no cmake")
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(CHECKOUT)
    files = runtimes.find(RUNTIME, "a2a3sim")
    for file in (files.host, files.aicpu, files.aicore):
        shutil.copy(file, folder)
    write_scenes(tmp_path / "scenes", "passes", "wrong_golden")
    (tmp_path / "scenes" / RUNTIME).rename(tmp_path / "scenes" / "fresh")  # a runtime that is not installed
    return folder


def test_runtimes_are_built_from_source_and_used(checkout: Path) -> None:
    words = ["ci", "-p", "a2a3sim", "--scenes", checkout.parent / "scenes", "-r", "fresh"]
    assert finish(*words)[0] == 2  # RUNTIME_UNKNOWN
    code, out, err = finish(*words, "--build-runtime", "--source", checkout)
    assert (code, err) == (1, "")
    assert out.startswith(f"Built runtimes from {checkout} in ")
    assert last_line(out) == "Total: 2  Passed: 1  Failed: 1"
    library = checkout / "build" / "runtimes" / "lib"
    assert f"again: CHIPHOST_LIB_DIR={library} chiphost run fresh/wrong_golden" in out

    built = {path: path.stat().st_mtime_ns for path in library.rglob("*.so")}
    assert len(built) == 3
    (checkout / "host.so").touch()
    (checkout / "sub").mkdir()
    code, out, _ = finish(*words, "--build-runtime", "-k", "passes", directory=checkout / "sub")
    assert (code, last_line(out)) == (0, "Total: 1  Passed: 1  Failed: 0")
    assert [path.name for path, time in built.items() if path.stat().st_mtime_ns != time] == ["host.so"]


def test_a_build_that_fails_says_why(checkout: Path) -> None:
    words = ["ci", "-p", "a2a3sim", "--scenes", checkout.parent / "scenes", "--build-runtime"]
    (checkout / "aicpu.so").unlink()
    code, out, err = finish(*words, "--source", checkout)
    assert (code, out) == (2, "")
    assert "COMPILE_FAILED" in err
    assert "aicpu.so" in err
    code, out, err = finish(*words, directory=checkout.parent / "scenes")
    assert (code, out) == (2, "")
    assert "name it with --source" in err
    code, out, err = finish(*words, "--source", checkout, PATH="/nonexistent")
    assert code == 2 or (Path(sys.executable).parent / "cmake").exists()


def test_the_deadline_includes_building(checkout: Path) -> None:
    (checkout / "CMakeLists.txt").write_text(f"{CHECKOUT}\nexecute_process(COMMAND sleep 60)\n")
    words = ["ci", "-p", "a2a3sim", "--scenes", checkout.parent / "scenes", "-r", RUNTIME, "--build-runtime"]
    report = checkout.parent / "out.json"
    (checkout.parent / "scenes" / "fresh").rename(checkout.parent / "scenes" / RUNTIME)
    code, out, _ = finish(*words, "--source", checkout, "-t", "1", "--json", report)
    assert (code, last_line(out)) == (1, "Total: 2  Passed: 0  Failed: 2")
    errors = {scene["error"] for scene in json.loads(report.read_text())["scenes"]}
    assert errors == {"not started: the deadline of 1 s was over"}

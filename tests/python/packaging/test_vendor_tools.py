# SPDX-License-Identifier: Apache-2.0
"""The vendor's compiler and its linker, as CMake looks for them: tested only by the file that does it."""

from __future__ import annotations

import pytest
from cmake_tools import cmake_dir, run

pytestmark = pytest.mark.timeout(1800)  # projects are built
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
        # This excludes the tools of this machine: it may have a compiler for aarch64, and a linker of that name.
        none = "-DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=FALSE"
        variables = f"-Dchiphost_onboard_sdk_variables={';'.join(SDK)}"  # as platform/sources.cmake names them
        return run(cmake, file, none, variables, *definitions, "-P", tmp_path / "look.cmake", **environment)

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
    """Another linker that is on PATH is not taken."""
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

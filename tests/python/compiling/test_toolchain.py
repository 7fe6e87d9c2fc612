# SPDX-License-Identifier: Apache-2.0
"""Finding the compiler, and the options it is given."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from chiphost import toolchain
from chiphost._compiling import host_toolchain
from chiphost.errors import CompileError, SceneError

COMPILERS = [path for name in ("g++", "clang++") if (path := shutil.which(name))]
FAMILIES = {"g++": "gcc", "clang++": "clang"}


@pytest.fixture(autouse=True)
def no_cxx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)


def write_script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_this_machine_has_a_compiler() -> None:
    assert COMPILERS
    assert host_toolchain.find_compiler().path == Path(COMPILERS[0])


@pytest.mark.parametrize("path", COMPILERS)
def test_a_compiler_is_described(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", path)
    compiler = host_toolchain.find_compiler()
    assert compiler.command == (path,)
    assert compiler.path == Path(path)
    assert compiler.family == FAMILIES[Path(path).name]
    assert int(compiler.version.split(".")[0]) >= 7
    assert os.uname().machine in compiler.target
    assert len(compiler.identity) == 64


def test_cxx_may_be_a_name_with_options(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = host_toolchain.find_compiler()
    monkeypatch.setenv("CXX", f"{plain.path.name} -O1")
    compiler = host_toolchain.find_compiler()
    assert compiler.command == (str(plain.path), "-O1")
    assert compiler.identity != plain.identity


def test_cxx_may_be_a_path_with_spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = write_script(tmp_path / "my compiler", f'exec {COMPILERS[0]} "$@"')
    monkeypatch.setenv("CXX", str(script))
    assert host_toolchain.find_compiler().command == (str(script),)


def test_a_relative_cxx_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_script(tmp_path / "cxx", f'exec {COMPILERS[0]} "$@"')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CXX", "./cxx")
    assert host_toolchain.find_compiler().path == tmp_path / "cxx"


def test_a_compiler_that_is_replaced_has_another_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = write_script(tmp_path / "cxx", f'exec {COMPILERS[0]} "$@"')
    monkeypatch.setenv("CXX", str(script))
    before = host_toolchain.find_compiler()
    assert host_toolchain.find_compiler() is before
    write_script(script, f'exec {COMPILERS[0]} "$@" # longer')
    assert host_toolchain.find_compiler().identity != before.identity


@pytest.mark.parametrize(
    ("cxx", "reason"),
    [
        ("no-such-compiler", "no program"),
        ("/no/such/compiler", "no program"),
        ("'unbalanced", "cannot be split"),
        ("false", "does not answer"),
        ("echo", "neither g++ nor clang++"),
    ],
)
def test_a_cxx_that_does_not_work_is_named(cxx: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", cxx)
    with pytest.raises(CompileError, match=r"COMPILER_MISSING") as caught:
        host_toolchain.find_compiler()
    assert repr(cxx) in caught.value.message
    assert reason in caught.value.message
    assert "unset it" in caught.value.hint
    (candidate,) = host_toolchain.candidates()
    assert (candidate.origin, candidate.wanted, candidate.compiler) == ("CXX", cxx, None)


def test_a_file_that_is_no_program_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "cxx"
    broken.write_bytes(b"\x7fELF")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    with pytest.raises(CompileError, match="does not answer"):
        host_toolchain.find_compiler()


def test_an_empty_path_has_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CompileError, match=r"COMPILER_MISSING") as caught:
        host_toolchain.find_compiler()
    assert "g++: not on PATH; clang++: not on PATH" in caught.value.message
    assert str(tmp_path) in caught.value.message
    assert [candidate.wanted for candidate in host_toolchain.candidates()] == ["g++", "clang++"]
    # A compiler that is installed later is found.
    write_script(tmp_path / "clang++", f'PATH={os.defpath} exec {COMPILERS[0]} "$@"')
    assert host_toolchain.find_compiler().path == tmp_path / "clang++"


def test_an_empty_cxx_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", " ")
    assert host_toolchain.find_compiler().path == Path(COMPILERS[0])


def test_the_headers_are_there() -> None:
    assert (toolchain.include_dir() / "chiphost" / "kernel.h").is_file()


def test_missing_headers_say_where_they_should_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toolchain.include_dir.cache_clear()
    monkeypatch.setattr(toolchain, "__file__", str(tmp_path / "a" / "chiphost" / "toolchain.py"))
    with pytest.raises(CompileError, match="headers are missing") as caught:
        toolchain.include_dir()
    assert str(tmp_path / "a" / "chiphost" / "include") in caught.value.message


def test_flags_name_the_chip_and_the_core() -> None:
    compiler = host_toolchain.find_compiler()
    aic = host_toolchain.flags(compiler, "a2a3sim", core_type="aic")
    aiv = host_toolchain.flags(compiler, "a5sim", core_type="aiv")
    orchestration = host_toolchain.flags(compiler, "a5sim")
    assert {"-D__DAV_CUBE__", "-D__CPU_SIM", "-DCHIPHOST_ARCH_A2A3=1"} <= set(aic)
    assert {"-D__DAV_VEC__", "-D__CPU_SIM", "-DCHIPHOST_ARCH_A5=1"} <= set(aiv)
    assert not [flag for flag in orchestration if "__DAV" in flag or "__CPU_SIM" in flag]
    assert not [flag for flag in aic if "visibility" in flag or "prefix-map" in flag]


def test_other_platforms_are_refused() -> None:
    with pytest.raises(SceneError, match="no platform 'a3sim'") as caught:
        host_toolchain.arch("a3sim")
    assert caught.value.name == "PLATFORM_UNKNOWN"
    assert "a5sim" in caught.value.hint


def test_paths_in_a_depfile_may_have_any_characters() -> None:
    depfile = b"program: /a/k.cpp /a/with\\ space.h \\\n  /a/$$dollar\\#hash.h \\\n /a/\xc3\xa4.h\n"
    assert host_toolchain.dependencies(depfile) == ["/a/k.cpp", "/a/with space.h", "/a/$dollar#hash.h", "/a/ä.h"]
    assert host_toolchain.dependencies(b"program: \\\n /a.h") == ["/a.h"]

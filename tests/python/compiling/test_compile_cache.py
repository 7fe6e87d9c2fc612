# SPDX-License-Identifier: Apache-2.0
"""The compile cache: its program must be the one that a compile would give now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cached_compiles import COMPILERS, build, build_fresh, spy_on_compiler, write_source

from chiphost._compiling import host_toolchain

pytestmark = pytest.mark.usefixtures("cache")


def test_the_second_time_nothing_is_compiled(tmp_path: Path, compiles: Callable[[], int]) -> None:
    source = write_source(tmp_path / "k.cpp", includes="#include <vector>")
    first = build(source)
    count = compiles()
    assert count
    assert build(source) == first
    source.touch()
    assert build(source) == first
    source.write_bytes(source.read_bytes())
    assert build(source) == first
    assert compiles() == count
    assert first == build_fresh(source)


def test_each_thing_that_decides_the_result_counts(
    tmp_path: Path, compiles: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_source(tmp_path / "k.cpp", includes='#include "h.h"')
    header = tmp_path / "h.h"
    header.write_text("#define H 1\n")
    script = tmp_path / "exports"
    script.write_text("{ global: value; local: *; };\n")
    elsewhere = write_source(tmp_path / "elsewhere" / "k.cpp", includes='#include "../h.h"')

    def change(path: Path, text: str) -> None:
        path.write_text(text)

    plain: dict[str, tuple[str, ...]] = {}
    scripted: dict[str, tuple[str, ...]] = {"flags": ("-Wl,--version-script=exports",)}
    steps: list[tuple[Callable[[], object], Path, dict[str, tuple[str, ...]]]] = [
        (lambda: None, source, plain),
        (lambda: write_source(source, 2, '#include "h.h"'), source, plain),
        (lambda: change(header, "#define H 2\n"), source, plain),
        (lambda: None, source, {"defines": ("X",)}),
        (lambda: None, source, {"flags": ("-O1",)}),
        (lambda: None, source, {"include_dirs": (str(tmp_path / "elsewhere"),)}),
        (lambda: None, source, scripted),
        (lambda: change(script, "{ global: va*; local: *; };\n"), source, scripted),
        (lambda: None, elsewhere, plain),
        (lambda: monkeypatch.setenv("CPATH", str(tmp_path / "elsewhere")), source, plain),
        (lambda: (tmp_path / "cxx").touch(), source, plain),
    ]
    for prepare, path, options in steps:
        prepare()
        count = compiles()
        built = build(path, **options)
        assert compiles() > count
        count = compiles()
        assert build(path, **options) == built
        assert compiles() == count


def test_an_old_state_is_found_again(tmp_path: Path, compiles: Callable[[], int]) -> None:
    source = write_source(tmp_path / "k.cpp", includes='#include "h.h"')
    header = tmp_path / "h.h"
    programs = {}
    for text in ("int one = 1;", "int two = 2;"):
        header.write_text(text)
        programs[text] = build(source)
    count = compiles()
    for text, program in programs.items():
        header.write_text(text)
        assert build(source) == program
    assert compiles() == count


@pytest.mark.parametrize("compiler_name", COMPILERS)
def test_headers_in_folders_with_odd_names_are_seen(
    compiler_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", compiler_name)
    folder = tmp_path / "odd $x #1 (ä) 'q'"
    source = write_source(folder / "k k.cpp", includes='#include "h h.h"')
    results = []
    for value in (1, 2):
        (folder / "h h.h").write_text(f"int h = {value};")
        results.append(build(source))
        assert results[-1] == build_fresh(source)
    assert results[0] != results[1]


VARIABLES = (
    *("CPATH", "CPLUS_INCLUDE_PATH", "C_INCLUDE_PATH", "LIBRARY_PATH", "LD_RUN_PATH", "COMPILER_PATH"),
    *("GCC_EXEC_PREFIX", "SDKROOT", "MACOSX_DEPLOYMENT_TARGET", "SOURCE_DATE_EPOCH"),
)


@pytest.mark.parametrize("name", VARIABLES)
def test_each_variable_counts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The compiler itself does not get the variable, so any value will do.
    log = tmp_path / "compiles"
    log.touch()
    spy_on_compiler(tmp_path / "cxx", f'echo >> "{log}"; unset {name}', monkeypatch)
    source = write_source(tmp_path / "k.cpp")
    compiled = []
    for value in (None, "1", "1", "2", None):
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
        log.write_text("")
        build(source)
        compiled.append(log.stat().st_size > 0)
    assert compiled == [True, True, False, True, False]


def test_a_wrapper_that_calls_another_compiler_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The compiler's own file stays as it is: only its answer to --version tells.
    version, log = tmp_path / "version", tmp_path / "compiles"
    spy_on_compiler(tmp_path / "cxx", f'echo >> "{log}"', monkeypatch)
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(
        f'#!/bin/sh\ncase "$1" in --version) exec cat "{version}";; esac\nexec "{tmp_path / "cxx"}" "$@"\n'
    )
    wrapper.chmod(0o700)
    monkeypatch.setenv("CXX", str(wrapper))
    source = write_source(tmp_path / "k.cpp")
    compiled = []
    for number in ("12.2.0", "12.2.0", "12.2.1", "12.2.0"):
        version.write_text(f"g++ (Distribution) {number}\nCopyright (C) 2022 Free Software Foundation, Inc.\n")
        host_toolchain._probe.cache_clear()  # as in a new process
        log.write_text("")
        build(source)
        compiled.append(log.stat().st_size > 0)
    assert compiled == [True, False, True, False]

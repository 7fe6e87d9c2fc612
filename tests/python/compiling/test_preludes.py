# SPDX-License-Identifier: Apache-2.0
"""Preludes of kernels: a header that is included first, compiled once for all kernels that have it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import chiphost as ch
from chiphost._compiling.cache import CompileCache
from chiphost.compiler import compile_all, kernel_job

PLATFORM = "a2a3sim"
ENOUGH = 6  # kernels, for a header to be compiled for them


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of sources. Every command of the compiler is noted in `commands`; temporary files are in `temporary`.

    The commands in a file `hook` run before the compiler, which stays the same one for the cache.
    """
    cxx = shutil.which("g++")
    if cxx is None:
        pytest.skip("g++ is not installed")
    wrapper = tmp_path / "g++"
    note, hook = f'echo "$*" >>"{tmp_path}/commands"', f'[ ! -f "{tmp_path}/hook" ] || . "{tmp_path}/hook"'
    wrapper.write_text(f'#!/bin/sh\n{note}\n{hook}\nexec {cxx} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("CXX", str(wrapper))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (tmp_path / "common.h").write_text("constexpr int number = 1;\n")
    (tmp_path / "prelude.h").write_text('#pragma once\n#include <chiphost/kernel.h>\n#include "common.h"\n')
    return tmp_path


def kernels(folder: Path, count: int, first: int = 0, **options: Any) -> list[ch.Kernel]:
    """Kernels that return their number and that of common.h. None of them includes anything itself."""
    made = []
    for index in range(first, first + count):
        source = folder / f"kernel_{index}.cpp"
        source.write_text(
            f'extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {{ args[0] = {index} + 100 * number; }}\n'
        )
        made.append(ch.Kernel(index, source, "aiv", **{"prelude": folder / "prelude.h", **options}))
    return made


def compiled(folder: Path, wanted: Sequence[ch.Kernel]) -> list[str]:
    """The binaries' keys."""
    time.sleep(0.1)  # a file written just now is not kept: it could change again without a new time
    jobs = [kernel_job(kernel, PLATFORM) for kernel in wanted]
    return [binary.key for binary in compile_all(jobs, cache=CompileCache(folder / "cache"))]


def commands(folder: Path) -> tuple[int, int]:
    """The number of headers that were compiled since the last call, and of kernels with one of them."""
    log = folder / "commands"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    with_one = [line for line in lines if f"-include {folder}/temporary/" in line and "kernel_" in line]
    return sum("-x c++-header" in line for line in lines), len(with_one)


def test_it_is_compiled_once_for_many(folder: Path) -> None:
    made = compiled(folder, kernels(folder, ENOUGH))
    assert commands(folder) == (1, ENOUGH)
    assert len(set(made)) == ENOUGH
    assert not any((folder / "temporary").iterdir()), "a folder was left behind"
    for kernel, key in zip(kernels(folder, ENOUGH), made, strict=True):
        alone = kernel_job(kernel, PLATFORM)
        [binary] = compile_all([alone], cache=CompileCache(folder / f"cache_{kernel.func_id}"))
        assert binary.key == key, "the program is another one than without"
    assert commands(folder) == (0, 0), "one kernel is not worth it"


def test_each_core_type_and_set_of_options_has_its_own(folder: Path) -> None:
    wanted = kernels(folder, ENOUGH) + kernels(folder, ENOUGH, ENOUGH, defines=("OTHER",))
    for kernel in kernels(folder, ENOUGH, 2 * ENOUGH):
        wanted.append(ch.Kernel(kernel.func_id, kernel.source, "aic", prelude=kernel.prelude))
    compiled(folder, wanted)
    assert commands(folder) == (3, 3 * ENOUGH)


def test_it_is_kept_for_the_next_call(folder: Path) -> None:
    compiled(folder, kernels(folder, ENOUGH))
    commands(folder)
    compiled(folder, kernels(folder, 1, ENOUGH))
    assert commands(folder) == (0, 1)


def test_a_change_in_what_it_includes_is_seen(folder: Path) -> None:
    before = compiled(folder, kernels(folder, ENOUGH))
    assert compiled(folder, kernels(folder, ENOUGH)) == before
    (folder / "common.h").write_text("constexpr int number = 2;\n")
    after = compiled(folder, kernels(folder, ENOUGH))
    assert not set(after) & set(before)
    (folder / "common.h").write_text("constexpr int number = 1;\n")
    assert compiled(folder, kernels(folder, ENOUGH)) == before


def test_a_change_while_kernels_are_compiled_is_seen(folder: Path) -> None:
    """A program that was compiled with the old header must not be kept for the new one."""
    change = f'case "$*" in *kernel_3.cpp*) echo "constexpr int number = 2;" >"{folder}/common.h";; esac'
    (folder / "hook").write_text(change)
    compiled(folder, kernels(folder, ENOUGH + 4))
    (folder / "hook").unlink()
    jobs = [kernel_job(kernel, PLATFORM) for kernel in kernels(folder, ENOUGH + 4)]
    anew = [binary.key for binary in compile_all(jobs, cache=CompileCache(folder / "another_cache"))]
    assert compiled(folder, kernels(folder, ENOUGH + 4)) == anew


def test_what_is_wrong_in_it_is_said_once_for_each_kernel(folder: Path) -> None:
    (folder / "common.h").write_text("constexpr int number = nobody_knows_this;\n")
    with pytest.raises(ch.ChiphostError) as raised:
        compiled(folder, kernels(folder, ENOUGH))
    assert raised.value.name == "COMPILE_FAILED"
    assert str(raised.value).count("nobody_knows_this") >= ENOUGH
    assert str(folder / "common.h") in str(raised.value)
    assert f"-include {folder}/prelude.h" in str(raised.value), "the command can be pasted"


@pytest.mark.parametrize("spoil", ["echo spoilt >", "head -c 5000 /dev/zero >", "truncate -s 20000 "])
def test_one_that_is_damaged_is_the_header_itself(folder: Path, spoil: str) -> None:
    """A damaged header must neither decide what a kernel is, nor appear in an error."""
    made = compiled(folder, kernels(folder, ENOUGH))
    commands(folder)
    # These steps run the compiler, and then put something else in the place of the compiled header.
    steps = f'{shutil.which("g++")} "$@" || exit; for last do :; done; {spoil}"$last"; exit 0'
    (folder / "hook").write_text(f'case "$*" in *c++-header*) {steps};; esac')
    again = [kernel_job(kernel, PLATFORM) for kernel in kernels(folder, ENOUGH)]
    binaries = compile_all(again, cache=CompileCache(folder / "another_cache"))
    assert [binary.key for binary in binaries] == made
    assert commands(folder) == (1, ENOUGH), "each was tried with it"


def test_relative_words_mean_what_they_mean_for_each_source(folder: Path) -> None:
    """Such words start at the source's folder, not at the header's."""
    for where, number in ((folder, 7), (folder / "one", 1), (folder / "two", 2)):
        (where / "inc").mkdir(parents=True)
        (where / "inc" / "common.h").write_text(f"constexpr int number = {number};\n")
    (folder / "common.h").unlink()
    options = {"flags": ("-Iinc",), "prelude": folder / "prelude.h"}
    alone = [compiled(folder, kernels(folder / where, 1, **options))[0] for where in ("one", "two")]
    assert alone[0] != alone[1]
    (folder / "cache").rename(folder / "old_cache")
    for where, key in zip(("one", "two"), alone, strict=True):
        assert compiled(folder, kernels(folder / where, ENOUGH, **options))[0] == key
    assert commands(folder) == (2, 2 * ENOUGH)


def test_what_only_a_prelude_spoils_compiles_without(folder: Path) -> None:
    """The header is one that flags include, too, and that has no guard: g++ then reads it twice."""
    (folder / "twice.h").write_text("struct Twice {};\n")
    flags = ("-include", str(folder / "twice.h"))
    assert len(compiled(folder, kernels(folder, ENOUGH, flags=flags))) == ENOUGH


@pytest.mark.parametrize(("prelude", "words"), [("nowhere.h", "there is no header"), ("a\nb", "prelude is C")])
def test_one_that_is_not_there(folder: Path, prelude: str, words: str) -> None:
    [kernel] = kernels(folder, 1)
    with pytest.raises(ch.ChiphostError, match=words) as raised:
        compiled(folder, [ch.Kernel(0, kernel.source, "aiv", prelude=prelude)])
    assert raised.value.name == "INVALID_ARGUMENT"

# SPDX-License-Identifier: Apache-2.0
"""Lines of sources for code addresses: with addr2line, without it, and the choice among inlined functions."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from chiphost import toolchain
from chiphost.checks import CodeLine, debug_lines
from chiphost.checks.code_lines import CodeLines, choose
from chiphost.checks.debug_lines import Frame, chains

HEADER = """\
#pragma once
inline __attribute__((always_inline)) void store(volatile float* out) {
    *out = 1;
}
"""
SOURCE = """\
#include "../lib/store.h"

extern "C" void first(volatile float* out) {
    out[0] = 2;
}

extern "C" void second(volatile float* out) {
    store(out);
}
"""
WITHOUT_ADDR2LINE = pytest.param(False, id="line tables")
WITH_ADDR2LINE = pytest.param(
    True, id="addr2line", marks=pytest.mark.skipif(shutil.which("addr2line") is None, reason="needs binutils")
)


@pytest.fixture(scope="module", params=["-gdwarf-4", "-gdwarf-5"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """The folder above a source and its header, and their program."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "lib").mkdir()
    (folder / "lib" / "store.h").write_text(HEADER)
    (folder / "kernels").mkdir()
    (folder / "kernels" / "source.cpp").write_text(SOURCE)
    subprocess.run(
        ["g++", "-shared", "-fPIC", "-O1", request.param, "kernels/source.cpp", "-o", "a.so"], cwd=folder, check=True
    )
    return folder, (folder / "a.so").read_bytes()


@pytest.fixture(params=[WITH_ADDR2LINE, WITHOUT_ADDR2LINE])
def with_tool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if not request.param:
        monkeypatch.setattr(debug_lines.shutil, "which", lambda name: None)
    return bool(request.param)


def addresses_in(function: str, folder: Path) -> list[int]:
    """The addresses of the instructions of a function."""
    command = ["objdump", "-d", "--no-show-raw-insn", "a.so"]
    shown = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    [body] = re.findall(rf"<{function}>:\n((?:.+\n)+)", shown)
    return [int(line.split(":")[0], 16) for line in body.splitlines()]


@pytest.mark.skipif(shutil.which("objdump") is None, reason="needs binutils")
class TestLines:
    def test_an_address_has_its_line(self, program, with_tool):
        folder, data = program
        found = chains(data, addresses_in("first", folder))
        assert (Frame(str(folder / "kernels" / "source.cpp"), 4),) in found.values()
        assert {frame.file for frames in found.values() for frame in frames} == {str(folder / "kernels" / "source.cpp")}

    def test_an_inlined_function_is_the_innermost_frame(self, program, with_tool):
        folder, data = program
        inner, outer = Frame(str(folder / "lib" / "store.h"), 3), Frame(str(folder / "kernels" / "source.cpp"), 8)
        found = chains(data, addresses_in("second", folder))
        assert ((inner, outer) if with_tool else (inner,)) in found.values()

    def test_an_address_outside_has_none(self, program, with_tool):
        assert chains(program[1], [1, 2**40]) == {1: (), 2**40: ()}
        assert chains(program[1], []) == {}

    @pytest.mark.skipif(shutil.which("addr2line") is None, reason="needs binutils")
    def test_a_stack_is_searched_from_its_innermost_address(self, program):
        folder, data = program
        outer = addresses_in("first", folder)
        header, own = Frame(str(folder / "lib" / "store.h"), 3), Frame(str(folder / "kernels" / "source.cpp"), 8)
        at = next(at for at, frames in chains(data, addresses_in("second", folder)).items() if header in frames)
        stack = [at + 1, outer[0] + 1]  # as if calls were one byte long
        lines = CodeLines(data, [stack], folder / "kernels")
        assert lines.line(stack) == CodeLine(*own, CodeLine(str(folder / "lib" / "store.h"), 3))
        assert lines.line(stack[1:]) is not None and lines.line([]) is None
        assert CodeLines(data, [stack], folder / "lib").line(stack) == CodeLine(*header)


@pytest.mark.parametrize("data", [b"", b"no ELF file", b"\x7fELF" + b"\0" * 100])
def test_what_is_no_program_has_no_lines(data, with_tool):
    assert chains(data, [0x1000]) == {0x1000: ()}


class TestChoice:
    OWN = Frame("/scene/kernels/add.cpp", 9)
    HEADER = Frame("/pto/TAdd.hpp", 123)
    SYSTEM = Frame("/usr/include/c++/12/bits/stl_algobase.h", 400)
    CHIPHOST = Frame(str(toolchain.include_dir() / "chiphost" / "kernel.h"), 40)
    COMPAT = Frame(str(toolchain.compat_dir() / "simpler" / "tensor.h"), 7)
    FOLDER = Path("/scene/kernels")

    def test_the_own_line_is_the_innermost_in_the_sources_folder(self):
        outer = Frame("/scene/kernels/main.cpp", 2)
        assert choose([self.OWN, outer], self.FOLDER) == CodeLine(*self.OWN)

    def test_a_header_below_it_is_mentioned(self):
        found = choose([self.HEADER, Frame("/pto/other.hpp", 1), self.OWN], self.FOLDER)
        assert found == CodeLine(*self.OWN, CodeLine(*self.HEADER))

    def test_headers_of_chiphost_and_of_the_system_are_skipped(self):
        frames = [self.SYSTEM, self.CHIPHOST, self.COMPAT, self.OWN]
        assert choose(frames, self.FOLDER) == CodeLine(*self.OWN)
        assert choose([self.CHIPHOST, self.HEADER, self.OWN], self.FOLDER) == CodeLine(
            *self.OWN, CodeLine(*self.HEADER)
        )

    def test_a_line_elsewhere_is_better_than_none(self):
        assert choose([self.HEADER], self.FOLDER) == CodeLine(*self.HEADER)
        assert choose([self.SYSTEM, self.CHIPHOST], self.FOLDER) == CodeLine(*self.CHIPHOST)
        assert choose([self.HEADER, self.OWN], None) == CodeLine(*self.HEADER)
        assert choose([], self.FOLDER) is None

    def test_a_folder_with_the_same_beginning_is_another(self):
        other = Frame("/scene/kernels_of_others/x.cpp", 3)
        assert choose([other, self.OWN], self.FOLDER) == CodeLine(*self.OWN, CodeLine(*other))

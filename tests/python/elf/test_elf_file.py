# SPDX-License-Identifier: Apache-2.0
"""An ELF file as the dynamic loader sees it. The tests of the audit have the conclusions."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import c_libraries
import pytest

from chiphost._elf.file import ElfFile
from chiphost.errors import LoadError

SOURCE = """
#include <cmath>
int level = 7;
extern const int fixed[2] = {1, 2};
__attribute__((visibility("hidden"))) int hidden = 3;
static thread_local char block[100];
extern "C" {
__attribute__((weak)) int maybe();
int answer(double x) { return level + hidden + fixed[1] + static_cast<int>(std::sin(x)) + (maybe ? maybe() : 0); }
char* own_block() { return block; }
}
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    flags = (
        "-Wl,-soname,libanswer.so.1",
        "-Wl,--enable-new-dtags,-rpath,$ORIGIN/lib:/opt/lib",
        "-Wl,--build-id=0xabcd",
    )
    path = tmp_path_factory.mktemp("elf") / "answer.so"
    return c_libraries.build(SOURCE, path, "-Wl,--no-as-needed", "-lm", "-Wl,-z,nodelete", *flags)


def test_the_dynamic_section_is_read(path: Path) -> None:
    with ElfFile(path) as file:
        assert file.soname == "libanswer.so.1"
        assert any(name.startswith("libm.") for name in file.needed)
        assert file.runpath == ["$ORIGIN/lib", "/opt/lib"]
        assert file.rpath == []
        assert file.flag("DF_1_NODELETE")
        assert not file.flag("DF_SYMBOLIC")
        assert file.build_id == "abcd"
        assert file.tls_bytes >= 100
        assert file.bits == struct.calcsize("P") * 8


def test_symbols_are_told_apart(path: Path) -> None:
    with ElfFile(path) as file:
        assert {"answer", "own_block", "level"} <= file.exports
        assert not {"hidden", "sin", "maybe"} & file.exports
        assert file.imports["maybe"].binding == "STB_WEAK"
        assert file.imports["sin"].binding == "STB_GLOBAL"
        by_name = {symbol.name: symbol for symbol in file.symbols}
        assert file.holds_state(by_name["level"])
        assert not file.holds_state(by_name["fixed"])
        assert not file.holds_state(by_name["answer"])


def test_a_closed_file_can_be_read_but_not_one_that_took_its_place(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.so"
    copy.write_bytes(path.read_bytes())
    with ElfFile(copy) as file:
        pass
    assert file.soname == "libanswer.so.1"
    other = tmp_path / "other.so"
    other.write_bytes(path.read_bytes())
    other.rename(copy)
    with pytest.raises(LoadError, match="it was replaced while it was read"):
        _ = file.symbols


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "NOT_ELF", "found 0 bytes that begin otherwise"),
        (b"#!/bin/sh\n", "NOT_ELF", "found 10 bytes that begin otherwise"),
        (b"GROUP ( libc.so.6 )\n", "NOT_ELF", r"a linker script \(text for ld\).*: GROUP \( libc.so.6 \)"),
        (b"\x7fELF\x02\x01\x01", "FILE_TRUNCATED", "the file has 7 in all"),
    ],
    ids=["empty", "script", "linker script", "truncated"],
)
def test_what_is_no_library_is_named(content: bytes, name: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(LoadError, match=words) as caught:
        ElfFile(path)
    assert (caught.value.name, caught.value.where) == (name, str(path))


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_is_no_file_is_named_and_nobody_waits(kind: str, tmp_path: Path) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(LoadError) as caught:
        ElfFile(path)
    assert (caught.value.name, caught.value.where) == ("FILE_UNREADABLE", str(path))


def test_no_descriptor_stays_open(path: Path, tmp_path: Path) -> None:
    def open_files() -> set[str]:
        return {str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}

    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not say")
    broken = tmp_path / "broken.so"
    broken.write_bytes(path.read_bytes()[:40])
    with pytest.raises(LoadError):
        ElfFile(broken)
    with ElfFile(path) as file:
        assert str(path) in open_files()
    assert file.exports
    assert not {str(path), str(broken)} & open_files()

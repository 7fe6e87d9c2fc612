# SPDX-License-Identifier: Apache-2.0
"""The compile cache and files that change: while the compiler runs, or with their times set back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cached_compiles import FAR_FUTURE_NS, build, build_fresh, set_back, spy_on_compiler, write_source

from chiphost._compiling import headers
from chiphost._compiling.cache import CompileCache, CompiledFile

pytestmark = pytest.mark.usefixtures("cache")


@pytest.mark.parametrize("victim", ["h.h", "k.cpp"])
def test_a_file_that_changes_during_a_compile_poisons_nothing(
    victim: str, tmp_path: Path, cache: CompileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_source(tmp_path / "src/k.cpp", includes='#include "h.h"')
    (tmp_path / "src/h.h").write_text("int h = 1;")
    new = tmp_path / "new"
    new.write_text((tmp_path / "src" / victim).read_text() + "int another = 3;")
    spy_on_compiler(
        tmp_path / "cxx", "", monkeypatch, after=f'[ ! -e "{new}" ] || mv "{new}" "{tmp_path / "src" / victim}"'
    )
    built = build(source)
    assert not new.exists()
    assert built == build(source) == build_fresh(source)
    assert cache.stats().programs == 1


def test_what_keeps_changing_is_not_kept(tmp_path: Path, cache: CompileCache, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_source(tmp_path / "src/k.cpp", includes='#include "h.h"')
    header = tmp_path / "src/h.h"
    header.touch()
    spy_on_compiler(tmp_path / "cxx", "", monkeypatch, after=f'echo "int h$$;" > "{header}"')
    assert build(source)
    assert cache.stats().programs == 0


def test_a_digest_is_remembered_only_while_the_file_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_text("a")
    reads = []

    def read_digest() -> str:
        value = headers.file_digest(str(path))
        reads.append(str(path) in headers._digests)
        return value

    digest = read_digest()
    path.write_text("b")  # same size, perhaps the same time
    assert read_digest() != digest
    assert reads == [False, False]  # too young to be remembered
    monkeypatch.setattr(headers, "_is_settled", lambda status, now_ns: True)
    digest = read_digest()
    assert read_digest() == digest
    path.write_text("longer")
    assert read_digest() != digest
    other = tmp_path / "g"
    other.write_text("LONGER")
    status = path.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    digest = read_digest()
    other.replace(path)  # same size, same mtime
    assert read_digest() != digest


@pytest.mark.parametrize("victim", ["k.cpp", "h.h"])
def test_an_edit_of_the_same_size_with_the_time_set_back_is_seen(
    victim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headers, "_is_settled", lambda status, now_ns: True)  # all is remembered at once
    source = write_source(tmp_path / "src/k.cpp", includes='#include "h.h"')
    (tmp_path / "src/h.h").write_text("int h = 1;")
    before = build(source)
    path = tmp_path / "src" / victim
    text = path.read_text().replace("1;", "2;")
    set_back(path, lambda: path.write_text(text))
    assert build(source) == build_fresh(source) != before


def test_a_source_that_changed_since_the_request_is_not_stored(tmp_path: Path, cache: CompileCache) -> None:
    source = write_source(tmp_path / "k.cpp", 1)
    request = cache.request(source, [])
    write_source(source, 2)
    assert not cache.store(request, CompiledFile.of(b"program"), [str(source)], [], FAR_FUTURE_NS)
    assert not cache.store(request, CompiledFile.of(b"program"), [str(tmp_path / "gone.h")], [], FAR_FUTURE_NS)
    assert cache.look_up(request) is None

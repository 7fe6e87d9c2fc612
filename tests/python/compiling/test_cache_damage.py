# SPDX-License-Identifier: Apache-2.0
"""Files that are damaged or in the way in the folder of the compile cache: each is a miss, and is repaired."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from cached_compiles import FAR_FUTURE_NS, build, build_fresh, files_of, run_python, write_source

from chiphost._compiling.cache import CompileCache, CompiledFile
from chiphost.errors import CacheError

pytestmark = pytest.mark.usefixtures("cache")


@pytest.mark.parametrize("kind", ["objects", "manifests"])
@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_damaged_entry_is_a_miss_and_is_repaired(
    kind: str, damage: bytes | None, tmp_path: Path, cache: CompileCache, compiles: Callable[[], int]
) -> None:
    source = write_source(tmp_path / "k.cpp")
    first = build(source)
    (path,) = files_of(cache.root, kind)
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2] if damage is None else damage)
    count = compiles()
    assert build(source) == first
    assert compiles() > count
    count = compiles()
    assert build(source) == first
    assert compiles() == count
    assert path.read_bytes() == good


@pytest.mark.parametrize("kind", ["objects", "manifests", "locks"])
def test_a_folder_in_the_place_of_an_entry_is_moved_away(
    kind: str, tmp_path: Path, cache: CompileCache, compiles: Callable[[], int]
) -> None:
    source = write_source(tmp_path / "k.cpp")
    first = build(source)
    [entry] = files_of(cache.root, kind)
    entry.unlink()
    (entry / "inner").mkdir(parents=True)
    assert build(source) == first
    count = compiles()
    assert build(source) == first
    assert compiles() == count
    cache.prune()
    assert not list(cache.root.glob(".cleared-*"))


def put_in_the_way(kind: str, path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link loop":
        path.symlink_to(path.name)
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    elif kind == "file":
        path.touch()
    else:
        path.mkdir()


IN_PLACE_OF_FILES = itertools.product(
    ("objects/*/*", "manifests/*/*", "locks/*", "pruned"), ("pipe", "link loop", "socket", "folder")
)
IN_PLACE_OF_FOLDERS = itertools.product(("objects/*", "manifests", "locks", "."), ("pipe", "link loop", "file"))


@pytest.mark.parametrize(("place", "kind"), [*IN_PLACE_OF_FILES, *IN_PLACE_OF_FOLDERS])
def test_what_is_in_the_way_stops_nobody(
    place: str, kind: str, tmp_path: Path, cache: CompileCache, compiles: Callable[[], int]
) -> None:
    source = write_source(tmp_path / "k.cpp")
    first = build(source)
    [path] = (cache.root / "v1").glob(place) if place != "." else [cache.root / "v1"]
    put_in_the_way(kind, path)
    assert build(source) == first
    count = compiles()
    assert build(source) == first
    assert compiles() == count
    cache.prune()
    assert cache.stats().programs == 1
    cache.clear()
    assert not list(cache.root.iterdir())


def test_any_changed_byte_of_a_manifest_is_noticed(tmp_path: Path, cache: CompileCache) -> None:
    source = write_source(tmp_path / "k.cpp", includes='#include "h.h"')
    (tmp_path / "h.h").touch()
    request = cache.request(source, [])
    assert cache.store(request, CompiledFile.of(b"program"), [str(source), str(tmp_path / "h.h")], [], FAR_FUTURE_NS)
    assert cache.look_up(request) == CompiledFile.of(b"program")
    (path,) = files_of(cache.root, "manifests")
    good = path.read_bytes()
    for at in range(len(good)):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert cache.look_up(request) is None


def test_a_killed_writer_leaves_nothing_that_is_used(tmp_path: Path, cache: CompileCache) -> None:
    source = write_source(tmp_path / "k.cpp")
    code = """
import os, signal, sys
from chiphost import compiler
os.replace = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
compiler.compile_kernel(compiler.Kernel(0, sys.argv[1], "aiv"), "a2a3sim")
"""
    child = run_python(code, source)
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    (left,) = [path for path in files_of(cache.root) if path.name.startswith(".tmp-")]
    assert cache.stats().programs == 0
    assert build(source) == build_fresh(source)
    cache.prune()
    assert left.exists()  # another process could still be writing it
    os.utime(left, (0, 0))
    cache.prune()
    assert not left.exists()
    assert cache.stats().programs == 1


def test_a_full_disk_is_an_error_and_leaves_nothing(
    tmp_path: Path, cache: CompileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_source(tmp_path / "k.cpp")
    build(write_source(tmp_path / "other.cpp"))
    before = sorted(files_of(cache.root, "objects") + files_of(cache.root, "manifests"))
    real = os.fdopen

    def full(descriptor: int, mode: str) -> IO[bytes]:
        if mode == "wb":
            with Path("/dev/full").open("wb") as device:
                os.dup2(device.fileno(), descriptor)
        return real(descriptor, mode)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdopen", full)
        with pytest.raises(CacheError, match="No space left on device") as caught:
            build(source)
    assert caught.value.name == "CACHE_UNUSABLE"
    assert str(cache.root) in caught.value.where
    assert "CHIPHOST_CACHE_DIR" in caught.value.hint
    assert sorted(files_of(cache.root, "objects") + files_of(cache.root, "manifests")) == before
    assert build(source) == build_fresh(source)

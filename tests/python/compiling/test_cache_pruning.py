# SPDX-License-Identifier: Apache-2.0
"""The pruning of the compile cache: which programs go, and when."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cached_compiles import DAY_S, build, files_of, write_source

from chiphost._compiling.cache import CompileCache, CompiledFile

pytestmark = pytest.mark.usefixtures("cache")


def test_what_nobody_used_goes_first(tmp_path: Path, cache: CompileCache, compiles: Callable[[], int]) -> None:
    sources = [write_source(tmp_path / f"k{i}.cpp", i) for i in range(3)]
    programs = [build(source) for source in sources]
    for path in files_of(cache.root, "objects") + files_of(cache.root, "manifests"):
        os.utime(path, (time.time() - 13 * DAY_S,) * 2)
    cache.prune()
    assert cache.stats().programs == 3
    build(sources[1])  # a use
    for path in files_of(cache.root, "objects"):
        if time.time() - path.stat().st_mtime > DAY_S:
            os.utime(path, (time.time() - 15 * DAY_S,) * 2)
    cache.prune()
    assert cache.stats().programs == 1
    count = compiles()
    assert build(sources[1]) == programs[1]
    assert compiles() == count
    assert build(sources[0]) == programs[0]
    assert compiles() > count


def test_the_size_is_limited(tmp_path: Path, cache: CompileCache) -> None:
    for i in range(4):
        source = write_source(tmp_path / f"k{i}.cpp", i)
        build(source)
        for path in files_of(cache.root, "objects") + files_of(cache.root, "manifests"):
            os.utime(path, ns=(0, path.stat().st_mtime_ns - 10**12))  # older by a quarter of an hour
    size = cache.stats().size_bytes
    small = CompileCache(cache.root, size_bytes_max=size // 2)
    small.prune()
    assert 0 < small.stats().size_bytes <= size // 2
    newest = CompiledFile.of(build(source)).digest
    assert newest in [path.name for path in files_of(cache.root, "objects")]


def test_what_was_used_last_stays(tmp_path: Path, cache: CompileCache) -> None:
    sources = [write_source(tmp_path / f"k{i}.cpp", i) for i in range(3)]
    programs = [CompiledFile.of(build(source)).digest for source in sources]
    for hours, digest in enumerate(programs, 2):
        os.utime(cache.root / "v1/objects" / digest[:2] / digest, (time.time() - hours * 3600,) * 2)
    build(sources[2])  # uses the program that was unused for longest
    size = max(path.stat().st_size for path in files_of(cache.root, "objects"))
    CompileCache(cache.root, size_bytes_max=size * 3 // 2).prune()
    assert [path.name for path in files_of(cache.root, "objects")] == [programs[2]]


def test_pruning_is_done_once_a_day(tmp_path: Path, cache: CompileCache) -> None:
    greedy = CompileCache(cache.root, size_bytes_max=0)
    sources = [write_source(tmp_path / f"k{i}.cpp", i) for i in range(3)]
    build(sources[0], greedy)
    assert greedy.stats().programs == 0  # the first store prunes
    build(sources[1], greedy)
    assert greedy.stats().programs == 1  # the second does not
    marker = cache.root / "v1" / "pruned"
    os.utime(marker, (time.time() - 2 * DAY_S,) * 2)
    build(sources[2], greedy)
    assert greedy.stats().programs == 0
    assert time.time() - marker.stat().st_mtime < DAY_S


def test_old_locks_and_half_cleared_folders_go(tmp_path: Path, cache: CompileCache) -> None:
    build(write_source(tmp_path / "k.cpp"))
    (lock,) = files_of(cache.root, "locks")
    (cache.root / ".cleared-1-1" / "v1").mkdir(parents=True)
    cache.prune()
    assert lock.exists()
    os.utime(lock, (0, 0))
    cache.prune()
    assert sorted(path.name for path in cache.root.rglob("*") if not path.name.isalnum()) == []
    assert not lock.exists()


def test_stats_and_clear(tmp_path: Path, cache: CompileCache) -> None:
    assert (cache.stats().programs, cache.stats().size_bytes) == (0, 0)
    cache.clear()
    assert not cache.root.exists()
    program = build(write_source(tmp_path / "k.cpp"))
    stats = cache.stats()
    assert (stats.root, stats.programs) == (cache.root, 1)
    assert stats.size_bytes > len(program)
    cache.clear()
    assert cache.stats().programs == 0
    assert not list(cache.root.iterdir())

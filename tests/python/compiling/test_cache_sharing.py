# SPDX-License-Identifier: Apache-2.0
"""Processes that use one compile cache at the same time: none disturbs another."""

from __future__ import annotations

import itertools
import shutil
import threading
from pathlib import Path

import pytest
from cached_compiles import build, build_fresh, files_of, pipe, run_python, spy_on_compiler, write_source

from chiphost._compiling.cache import CompileCache, CompiledFile

pytestmark = pytest.mark.usefixtures("cache")

STRESS = """
import sys
from chiphost import compiler
jobs = [compiler.kernel_job(compiler.Kernel(i, source, "aiv"), "a2a3sim") for i, source in enumerate(sys.argv[1:])]
print("ready", flush=True)
sys.stdin.readline()
print(*(binary.key for binary in compiler.compile_all(jobs)), flush=True)
"""


def test_processes_share_an_empty_cache(tmp_path: Path, cache: CompileCache) -> None:
    sources = [write_source(tmp_path / f"k{i}.cpp", i, "#include <stdint.h>") for i in range(3)]
    expected = [CompiledFile.of(build_fresh(source)).digest for source in sources]
    for _ in range(2):
        children = [run_python(STRESS, *sources) for _ in range(6)]
        for child in children:
            assert pipe(child.stdout).readline() == "ready\n"
        for child in children:
            pipe(child.stdin).write("\n")
            pipe(child.stdin).flush()
        for child in children:
            output, _ = child.communicate()
            assert child.returncode == 0
            assert output.split() == expected
        assert not [path for path in files_of(cache.root) if path.name.startswith(".tmp-")]
        assert cache.stats().programs == 3
        cache.clear()


def test_clearing_and_pruning_disturb_nobody(tmp_path: Path) -> None:
    sources = [write_source(tmp_path / f"k{i}.cpp", i) for i in range(3)]
    expected = [build_fresh(source) for source in sources]
    done = threading.Event()

    def disturb() -> None:
        for turn in itertools.count():
            if done.is_set():
                return
            CompileCache().clear() if turn % 2 else CompileCache(size_bytes_max=0).prune()

    threads = [threading.Thread(target=disturb) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            assert [build(source) for source in sources] == expected
    finally:
        done.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("removed", ["a", "a/cache", "a/cache/v1", "a/cache/v1/objects"])
def test_a_folder_that_is_removed_during_a_compile_is_no_error(
    removed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CompileCache(tmp_path / "a/cache")
    source = write_source(tmp_path / "k.cpp")
    expected = build_fresh(source)
    remove = f'rm -rf "{tmp_path / removed}"'
    spy_on_compiler(tmp_path / "cxx", remove, monkeypatch, after=remove)
    assert build(source, cache) == expected
    assert cache.stats().programs == 1  # the program that came afterwards is kept
    shutil.rmtree(tmp_path / removed)
    assert build(source, cache) == expected


def test_a_folder_that_is_removed_again_and_again_is_no_error(tmp_path: Path) -> None:
    sources = [write_source(tmp_path / f"k{i}.cpp", i) for i in range(3)]
    expected = [build_fresh(source) for source in sources]
    cache = CompileCache(tmp_path / "a/cache")
    done = threading.Event()

    def disturb() -> None:
        while not done.is_set():
            shutil.rmtree(tmp_path / "a", ignore_errors=True)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(5):
            assert [build(source, cache) for source in sources] == expected
    finally:
        done.set()
        thread.join()


def test_a_lock_keeps_others_waiting(tmp_path: Path, cache: CompileCache) -> None:
    request = cache.request(write_source(tmp_path / "k.cpp"), [])
    order = []

    def enter() -> None:
        with cache.lock(request, threading.Event(), 60):
            order.append("second enters")

    with cache.lock(request, threading.Event(), 60):
        thread = threading.Thread(target=enter)
        thread.start()
        # The wait is at most 0 s, and there is none when nobody wants the result any more.
        with cache.lock(request, threading.Event(), 0):
            order.append("impatient")
        given_up = threading.Event()
        given_up.set()
        with cache.lock(request, given_up, 60):
            order.append("given up")
        order.append("first leaves")
    thread.join()
    assert order == ["impatient", "given up", "first leaves", "second enters"]


def test_a_killed_process_leaves_no_lock(tmp_path: Path, cache: CompileCache) -> None:
    source = write_source(tmp_path / "k.cpp")
    code = """
import pathlib, sys, threading
from chiphost._compiling.cache import CompileCache
cache = CompileCache()
with cache.lock(cache.request(pathlib.Path(sys.argv[1]), []), threading.Event(), 60):
    print("held", flush=True)
    sys.stdin.readline()
"""
    child = run_python(code, source)
    assert pipe(child.stdout).readline() == "held\n"
    entered = threading.Event()

    def enter() -> None:
        with cache.lock(cache.request(source, []), threading.Event(), float("inf")):
            entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    assert not entered.is_set()
    child.kill()
    child.communicate()
    thread.join()
    assert entered.is_set()

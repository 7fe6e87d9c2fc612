# SPDX-License-Identifier: Apache-2.0
"""The result of closing an isolated library, and the things that go when nobody has it any more."""

from __future__ import annotations

import gc
from ctypes import c_int
from pathlib import Path

import c_libraries
import pytest
from sample_library import STRATEGIES, UNIQUE, in_a_process

from chiphost import isolate
from chiphost._compiling import host_toolchain
from chiphost.capacity import capacity
from chiphost.errors import LoadError, StateError


def test_close_tells_the_truth(path):
    for strategy in STRATEGIES:
        library = isolate.open(path, strategy)
        count = library.function("next_call", c_int)
        assert library.close() == isolate.CloseResult("unloaded", (), strategy == "namespace")
        assert library.close().state == "unloaded"
        with pytest.raises(StateError, match="the library was closed"):
            count()


def test_close_names_a_running_thread(path):
    library = isolate.open(path, "copy")
    assert library.function("start_thread", c_int)() == 0
    result = library.close()
    assert (result.state, result.pins[0].cause) == ("kept", "running thread")
    assert result.pins[0].what


def test_close_names_what_pins(tmp_path):
    source = """
    struct Log { ~Log() { ++*count; } int* count = new int(0); };
    thread_local Log entries;
    extern "C" int touch() { return ++*entries.count; }
    """
    library = isolate.open(c_libraries.build(source, tmp_path / "thread_local.so"), "copy")
    assert library.function("touch", c_int)() == 1
    result = library.close()
    assert (result.state, result.pins[0].cause) == ("pinned", "thread_local with a destructor")

    no_delete = c_libraries.build('extern "C" int one() { return 1; }', tmp_path / "no_delete.so", "-Wl,-z,nodelete")
    result = isolate.open(no_delete, "copy").close()
    assert (result.state, result.pins[0].cause) == ("pinned", "DF_1_NODELETE")


def test_namespaces_are_recycled(path):
    isolate.open(path, "namespace").close()
    opened = capacity().opened
    for _ in range(100):
        with isolate.open(path, "namespace") as library:
            assert library.function("next_call", c_int)() == 1
    assert capacity().opened == opened


def test_a_library_that_nobody_has_any_more_is_closed(path):
    def mappings() -> int:
        return Path("/proc/self/maps").read_text().count("sample_alone")

    alone = path.with_name("sample_alone.so")
    alone.write_bytes(path.read_bytes())
    count = isolate.open(alone, "copy").function("next_call", c_int)
    gc.collect()
    assert count() == 1  # the function keeps it open
    assert mappings() > 0
    del count
    gc.collect()
    assert mappings() == 0


def test_unique_symbols_are_told(tmp_path):
    if host_toolchain.find_compiler().family != "gcc":
        pytest.skip("only g++ makes unique symbols")
    path = c_libraries.build(UNIQUE, tmp_path / "unique.so", "-fgnu-unique")
    with pytest.raises(LoadError, match="UNIQUE_SYMBOL"):
        isolate.open(path, "copy")
    done = in_a_process(path, 'print(isolate.open(path, "namespace").close())')
    assert "state='pinned'" in done.stdout, done.stderr
    assert "cause='unique symbol'" in done.stdout
    assert "namespace_recycled=False" in done.stdout

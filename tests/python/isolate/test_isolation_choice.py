# SPDX-License-Identifier: Apache-2.0
"""The strategy that a library gets: asked for, or found by an audit; and the things that strategies keep apart."""

from __future__ import annotations

from ctypes import c_char_p, c_int, c_void_p
from pathlib import Path

import c_libraries
import numpy as np
import pytest
from sample_library import STRATEGIES, UNIQUE, in_a_process

import chiphost
from chiphost import _core, _strategies, isolate
from chiphost._compiling import host_toolchain
from chiphost._runtimes.strategy import choose_strategy
from chiphost.errors import ArgumentError, LoadError


def test_the_names_of_the_strategies_are_those_of_the_core():
    assert _core.STRATEGIES == _strategies.STRATEGIES


def test_a_strategy_that_was_asked_for_has_that_reason(library):
    assert library.strategy_reason == "asked for"


def test_an_unknown_word_is_an_error_that_says_which_there_are(path):
    with pytest.raises(ArgumentError, match="isolation: wanted one of namespace, copy, process, auto; found 'cpoy'"):
        choose_strategy("cpoy")
    name = str(path)
    with pytest.raises(ArgumentError, match="strategy: wanted one of namespace, copy, process; found 'cpoy'"):
        _core.Library(name, name, name, "cpoy", 0, False, None)
    with pytest.raises(ArgumentError, match="isolation: wanted one of namespace, copy, process; found 'auto'"):
        _core.Worker().init(name, name, name, False, "a2a3sim", name, name, "auto", False, 0, 0, 0)


def test_auto_goes_by_an_audit_and_says_so(path, tmp_path, monkeypatch):
    with isolate.open(path, "auto") as library:
        assert library.strategy == "namespace"
        assert library.strategy_reason.startswith("auto: namespace works")
    monkeypatch.setattr(_core, "namespaces_unavailable", lambda: "no dlmopen")
    with isolate.open(path, "auto") as library:
        assert library.strategy == "copy"
        assert library.strategy_reason.startswith("auto: namespace is out (no dlmopen); copy works")
    if host_toolchain.find_compiler().family == "gcc":
        unique = c_libraries.build(UNIQUE, tmp_path / "unique.so", "-fgnu-unique")
        with isolate.open(unique, "auto") as first, isolate.open(unique, "auto") as second:
            assert (first.strategy, second.strategy) == ("process", "process")
            assert "copy is out (" in first.strategy_reason
            counts = [library.function("count", c_int) for library in (first, first, second)]
            assert [count() for count in counts] == [1, 2, 1]


def test_no_audit_is_made_unless_for_auto(path):
    program = """
    for strategy in (None, "copy", "process"):
        isolate.open(path, strategy).close()
    print("chiphost.audit" in sys.modules, "elftools" in sys.modules)
    """
    done = in_a_process(path, program)
    assert done.stdout == "False False\n", done.stderr


def test_it_is_a_part_of_the_package():
    assert chiphost.isolate is isolate
    assert "isolate" in dir(chiphost)


LOCKS = """
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
static int fd = -1;
static int lock_by(int command) {
    struct flock all = {};
    all.l_type = F_WRLCK;
    return fcntl(fd, command, &all);
}
extern "C" {
void open_file(const char* path) { fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); }
#ifdef OF_THE_PROCESS
int of_the_process() { return lock_by(F_SETLK); }
int of_the_process_too() { return lockf(fd, F_TLOCK, 0); }
#else
int of_the_open_file() { return lock_by(F_OFD_SETLK); }
int of_the_open_file_too() { return flock(fd, LOCK_EX | LOCK_NB); }
#endif
}
"""


def locks_of_two(path: Path, strategy: str, file: Path, function: str) -> list[bool]:
    """The first and the second of two instances try to lock one file; True for an instance that got the lock."""
    with isolate.open(path, strategy) as first, isolate.open(path, strategy) as second:
        got = []
        for library in (first, second):
            library.function("open_file", None, [c_char_p])(bytes(file))
            got.append(library.function(function, c_int)() == 0)
        return got


def test_locks_of_the_process_need_a_process(tmp_path):
    path = c_libraries.build(LOCKS, tmp_path / "locks.so", "-DOF_THE_PROCESS")
    for function in ("of_the_process", "of_the_process_too"):
        for strategy, both in (("namespace", True), ("copy", True), ("process", False), ("auto", False)):
            file = tmp_path / f"{function}.{strategy}"
            assert locks_of_two(path, strategy, file, function) == [True, both], strategy


def test_locks_of_the_open_file_are_apart_everywhere(tmp_path):
    path = c_libraries.build(LOCKS, tmp_path / "locks.so")
    for function in ("of_the_open_file", "of_the_open_file_too"):
        for strategy in (*STRATEGIES, "auto"):
            assert locks_of_two(path, strategy, tmp_path / f"{function}.{strategy}", function) == [True, False]


def test_two_databases_do_not_both_get_the_write_lock(tmp_path):
    # Several may be installed, for several processors: the loader says which is ours.
    program = """
    import ctypes
    try:
        ctypes.CDLL("libsqlite3.so.0")
        print(next(line.split()[-1] for line in open("/proc/self/maps") if "libsqlite3.so" in line))
    except OSError:
        pass
    """
    done = in_a_process(Path(), program)
    assert done.returncode == 0, done.stderr
    path = done.stdout.strip()
    if not path:
        pytest.skip("no libsqlite3.so.0")
    results = []
    with isolate.open(path, "auto") as first, isolate.open(path, "auto") as second:
        for library in (first, second):
            database = np.zeros(1, np.uint64)
            opened = library.function("sqlite3_open", c_int, [c_char_p, isolate.Out("uint64")])
            assert opened(bytes(tmp_path / "database"), database) == 0
            run = library.function("sqlite3_exec", c_int, [c_void_p, c_char_p, c_void_p, c_void_p, c_void_p])
            results.append(run(int(database[0]), b"BEGIN EXCLUSIVE", None, None, None))
        assert results == [0, 5]  # SQLITE_OK, SQLITE_BUSY


TAKES_STATIC_TLS = """
#include <stddef.h>
__attribute__((tls_model("initial-exec"))) thread_local volatile char block[600];
static int calls = 0;
extern "C" int next_call() { block[0] = 1; return ++calls; }
"""


def test_auto_goes_on_when_static_tls_is_used_up(tmp_path):
    path = c_libraries.build(TAKES_STATIC_TLS, tmp_path / "static_tls.so")
    program = """
    opened = []
    while not opened or opened[-1].strategy != "process" and len(opened) < 50:
        opened.append(isolate.open(path, "auto"))
    print(opened[0].strategy, opened[0].fell_back, opened[-1].strategy, opened[-1].fell_back)
    print({library.function("next_call", c_int)() for library in opened})
    print("namespace is out (" in opened[-1].strategy_reason, "copy is out (STATIC" in opened[-1].strategy_reason)
    for strategy in ("namespace", "copy"):
        try:
            isolate.open(path, strategy)
        except Exception as error:
            print(type(error).__name__, error.name, "static TLS" in error.message, "GLIBC_TUNABLES" in str(error))
    """
    done = in_a_process(path, program)
    lines = done.stdout.splitlines()
    assert lines[:2] == ["namespace False process True", "{1}"], done.stderr
    assert lines[2] == "True True"
    # The last namespace has no room for the library; with another glibc it may be none for a namespace.
    assert lines[3].replace("NAMESPACES", "STATIC_TLS") == lines[4] == "IsolationError STATIC_TLS_SPENT True True"


def test_auto_tries_nothing_that_the_audit_rules_out(tmp_path):
    """When no namespace is left, a copy is not taken if it would not be apart."""
    source = 'int level = 1;\nextern "C" int raise_level() { return ++level; }\n'
    of_the_program = c_libraries.build(source, tmp_path / "of_the_program.so")
    path = c_libraries.build(source + "int more;\n", tmp_path / "level.so")
    program = f"""
    import ctypes
    ctypes.CDLL({str(of_the_program)!r}, ctypes.RTLD_GLOBAL)
    opened = [isolate.open(path, "auto")]
    while not opened[-1].fell_back and len(opened) < 50:
        opened.append(isolate.open(path, "auto"))
    print(opened[0].strategy, opened[-1].strategy, {{library.function("raise_level", c_int)() for library in opened}})
    print(opened[-1].strategy_reason)
    """
    done = in_a_process(path, program)
    strategies, reason = done.stdout.splitlines()
    assert strategies == "namespace process {2}", done.stderr
    assert "namespace is out (NAMESPACES_SPENT: " in reason
    assert "copy is out (clashes); process works" in reason


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_the_loader_refuses_is_not_blamed_on_a_missing_library(tmp_path, strategy):
    undefined = c_libraries.build('extern "C" int a(); extern "C" int b() { return a(); }', tmp_path / "undefined.so")
    with pytest.raises(LoadError, match=r"undefined symbol: a; no library that it needs defines it") as caught:
        isolate.open(undefined, strategy)
    assert "missing" not in str(caught.value)
    needed = c_libraries.build('extern "C" int a() { return 1; }', tmp_path / "libneeded.so")
    needs = c_libraries.build(
        'extern "C" int a(); extern "C" int b() { return a(); }',
        tmp_path / "needs.so",
        f"-L{tmp_path}",
        "-Wl,--no-as-needed",
        "-lneeded",
    )
    needed.unlink()
    with pytest.raises(LoadError, match=r"libneeded\.so: cannot open .*; a library that it needs is missing"):
        isolate.open(needs, strategy)

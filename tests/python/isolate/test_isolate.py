# SPDX-License-Identifier: Apache-2.0
"""Library handles: instances, errors, deadlines, and calls at the same time."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from ctypes import addressof, c_int, c_void_p

import c_libraries
import pytest
from sample_library import STRATEGIES, in_a_process

from chiphost import isolate
from chiphost.errors import ArgumentError, ConfigError, DeadlineError, LibraryError, LoadError, StateError


def test_instances_have_their_own_globals(path):
    for strategy in STRATEGIES:
        with isolate.open(path, strategy) as first, isolate.open(path, strategy) as second:
            counts = [library.function("next_call", c_int) for library in (first, first, second)]
            assert [count() for count in counts] == [1, 2, 1]


def test_an_exception_of_the_library_is_an_error(library):
    with pytest.raises(LibraryError, match="throw_text: an exception came out: the tank is empty"):
        library.function("throw_text")()
    assert library.function("next_call", c_int)() == 1


def test_a_call_that_does_not_return_poisons_its_library_only(path, copy):
    library = isolate.open(path, "copy")
    wait = library.function("wait_for_release", c_int)
    with pytest.raises(DeadlineError, match=r"wait_for_release: it did not return within 0.05 s"):
        wait(timeout_s=0.05)
    assert library.poisoned
    with pytest.raises(StateError, match="has never returned"):
        library.function("next_call", c_int)
    assert copy.function("next_call", c_int)() == 1
    result = library.close()
    assert result.state == "kept"
    assert result.pins == (isolate.Pin("call that never returned", str(path), "wait_for_release"),)


def test_the_deadline_may_be_the_librarys_or_the_functions(path):
    for options, function_options in (({"timeout_s": 0.05}, {}), ({}, {"timeout_s": 0.05})):
        library = isolate.open(path, "copy", **options)
        with pytest.raises(DeadlineError):
            library.function("wait_for_release", c_int, **function_options)()


@pytest.mark.parametrize("timeout_s", [-1, float("nan"), "soon"])
def test_wrong_deadlines_are_errors(copy, timeout_s):
    with pytest.raises((ConfigError, ArgumentError), match="timeout_s"):
        copy.function("next_call", c_int)(timeout_s=timeout_s)


def test_libraries_run_at_the_same_time_and_python_too(path):
    libraries = [isolate.open(path, "copy") for _ in range(4)]
    meet = [library.function("meet", c_int, [c_void_p, c_int]) for library in libraries]
    here = c_int(0)
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(each, addressof(here), 5) for each in meet]
        while here.value < 4 and not any(call.done() for call in calls):
            time.sleep(0.001)
        here.value += 1
    assert [call.result() for call in calls] == [1] * 4
    for library in libraries:
        assert library.close().state == "unloaded"


def test_calls_of_one_library_are_made_one_after_the_other(copy):
    count = copy.function("next_call", c_int)
    with ThreadPoolExecutor(8) as threads:
        numbers = list(threads.map(lambda _: count(), range(400)))
    assert sorted(numbers) == list(range(1, 401))


def test_what_is_no_library_is_an_error(tmp_path):
    text = tmp_path / "text.so"
    text.write_text("no library")
    for strategy in STRATEGIES:
        with pytest.raises(LoadError, match="NOT_ELF"):
            isolate.open(text, strategy)
        with pytest.raises(LoadError, match="FILE_UNREADABLE"):
            isolate.open(tmp_path / "missing.so", strategy)
    with pytest.raises(ArgumentError, match="wanted one of namespace, copy, process, auto; found 'container'"):
        isolate.open(text, "container")


def test_a_missing_function_is_an_error(copy):
    with pytest.raises(LoadError, match="wanted the function no_such_function"):
        copy.function("no_such_function")


def test_a_forked_child_opens_its_own(path, copy):
    count = copy.function("next_call", c_int)
    assert count() == 1
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with pytest.raises(StateError, match="WRONG_PROCESS"):
                count()
            with isolate.open(path, "copy") as own:
                code = 17 if own.function("next_call", c_int)() == 1 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17
    assert count() == 2


def test_a_namespace_keeps_the_environment_that_it_began_with(tmp_path):
    """The program's next setenv may move the array that the namespace was made with."""
    source = """
#include <cstdlib>
extern "C" int has_early() { return std::getenv("EARLY_0") != nullptr; }
extern "C" int start() { return std::system("exit 3") / 256; }
"""
    done = in_a_process(
        c_libraries.build(source, tmp_path / "environment.so"),
        """
        import os
        for number in range(200):
            os.environ[f"EARLY_{number}"] = "x" * 100
        library = isolate.open(path, "namespace")
        for number in range(5000):
            os.environ[f"LATE_{number}"] = "x" * 100
        kept = [bytearray(size) for size in range(100, 60_000, 8)]  # over what has been freed
        print(library.function("has_early", c_int)(), library.function("start", c_int)())
        """,
    )
    assert done.stdout == "1 3\n", done.stderr


def test_ctrl_c_ends_the_wait(path):
    program = """
    import os, signal, threading
    library = isolate.open(path, "copy")
    wait = library.function("wait_for_release", c_int)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        wait()
    except KeyboardInterrupt:
        print("interrupted", library.poisoned)
    """
    done = in_a_process(path, program)
    assert (done.returncode, done.stdout) == (0, "interrupted True\n"), done.stderr


def test_a_process_ends_with_libraries_open_and_calls_under_way(path):
    program = """
    import threading
    library = isolate.open(path, "namespace")
    hang = isolate.open(path, "copy").function("wait_for_release", c_int)
    threading.Thread(target=hang, daemon=True).start()
    print(library.function("next_call", c_int)())
    """
    done = in_a_process(path, program)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_a_call_that_the_end_of_the_process_cuts_off_raises_nothing(path):
    """A thread that printed an exception then could abort the process: stderr may be locked as it is taken down."""
    program = """
    import atexit, threading, time
    hang = isolate.open(path, "namespace").function("wait_for_release", c_int)
    next_call = isolate.open(path, "copy").function("next_call", c_int)
    def call(function):
        while True:
            function()
    threading.excepthook = lambda raised: print(raised.exc_value, flush=True)
    for function in (hang, next_call):
        threading.Thread(target=call, args=(function,), daemon=True).start()
    """
    # The function that was registered first runs last: after the calls have ended there is time for those threads.
    last = "import atexit, time; atexit.register(time.sleep, 0.5)"
    done = in_a_process(path, program, first=last)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr

# SPDX-License-Identifier: Apache-2.0
"""Library handles: arguments, errors, instances, closing."""

from __future__ import annotations

import array
import ctypes
import gc
import os
import signal
import struct
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from ctypes import addressof, c_bool, c_char_p, c_double, c_float, c_int, c_int8, c_size_t, c_uint8, c_uint64, c_void_p
from pathlib import Path

import c_libraries
import numpy as np
import pytest

import chiphost
from chiphost import _core, isolate
from chiphost._compiling import host_toolchain
from chiphost.audit.subject import Program
from chiphost.capacity import capacity
from chiphost.errors import (
    ArgumentError,
    ConfigError,
    DeadlineError,
    LibraryError,
    LoadError,
    ProcessError,
    StateError,
)

SOURCE = r"""
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <stdexcept>
static int calls = 0;
static int cell = 7;
static volatile int go_on = 1;
extern "C" {
int next_call() { return ++calls; }
double sum(const double* values, size_t count) { double s = 0; while (count--) s += *values++; return s; }
void scale(float* values, size_t count, float factor) { while (count--) *values++ *= factor; }
void fill(unsigned char* out, size_t count, uint8_t value) { memset(out, value, count); }
int8_t negate(int8_t x) { return static_cast<int8_t>(-x); }
bool both(bool a, bool b) { return a && b; }
uint64_t same(uint64_t x) { return x; }
float third(float x) { return x / 3; }
const char* name(int wanted) { return wanted ? "tank" : nullptr; }
size_t length(const char* text) { return text ? strlen(text) : 1000; }
void* open_cell() { return &cell; }
int read_cell(void* handle) { return handle ? *static_cast<int*>(handle) : -1; }
int is_null(const void* address) { return address == nullptr; }
void throw_text() { throw std::runtime_error("the tank is empty"); }
int wait_for_release() { while (go_on) usleep(1000); return 5; }
void nap(int ms) { usleep(1000 * ms); }
// Whether all have come here while this call waited.
int meet(int* here, int all) {
    __atomic_add_fetch(here, 1, __ATOMIC_SEQ_CST);
    for (int ms = 0; ms < 20000 && __atomic_load_n(here, __ATOMIC_SEQ_CST) < all; ++ms) usleep(1000);
    return __atomic_load_n(here, __ATOMIC_SEQ_CST) >= all;
}
void crash() { fputs("about to crash\n", stderr); raise(SIGSEGV); }
void give_up() { abort(); }
void leave(int code) { exit(code); }
static void* sleep_long(void*) { for (;;) pause(); }
struct Node { const double* values; size_t count; const Node* next; };
double sum_of_list(const Node* node) {
    double s = 0;
    for (; node; node = node->next) s += sum(node->values, node->count);
    return s;
}
int start_thread() { pthread_t thread; return pthread_create(&thread, nullptr, sleep_long, nullptr); }
}
"""
STRATEGIES = ("copy", "namespace", "process")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return c_libraries.build(SOURCE, tmp_path_factory.mktemp("isolate") / "sample.so")


@pytest.fixture(params=STRATEGIES)
def library(path, request):
    with isolate.open(path, request.param) as opened:
        yield opened


@pytest.fixture
def copy(path):
    with isolate.open(path, "copy") as opened:
        yield opened


def test_numbers_and_results(library):
    assert library.function("negate", c_int8, [c_int8])(-128) == -128
    assert library.function("negate", c_int8, [c_int8])(5) == -5
    assert library.function("both", c_bool, [c_bool, c_bool])(True, 1) is True
    assert library.function("same", c_uint64, [c_uint64])(2**64 - 1) == 2**64 - 1
    assert library.function("third", c_float, [c_float])(1) == float(np.float32(1) / np.float32(3))
    assert library.function("nap", None, [c_int])(0) is None


def test_texts(library):
    name = library.function("name", c_char_p, [c_int])
    length = library.function("length", c_size_t, [c_char_p])
    assert (name(1), name(0)) == (b"tank", None)
    assert (length(b"four"), length(b""), length(None)) == (4, 0, 1000)


def test_handles_pass_through(library):
    read = library.function("read_cell", c_int, [c_void_p])
    handle = library.function("open_cell", c_void_p)()
    assert read(handle) == 7
    assert read(c_void_p(handle)) == 7
    assert read(None) == -1


@pytest.mark.parametrize(
    "values",
    [np.array([1.0, 2, 3]), array.array("d", [1, 2, 3]), (c_double * 3)(1, 2, 3), memoryview(np.array([1.0, 2, 3]))],
    ids=lambda values: type(values).__name__,
)
def test_buffers_that_are_read(copy, values):
    assert copy.function("sum", c_double, [isolate.In("float64"), c_size_t])(values, 3) == 6


def test_buffers_that_are_written(library):
    values = np.array([[1, 2], [3, 4]], np.float32)
    library.function("scale", None, [isolate.InOut(np.float32), c_size_t, c_float])(values, 4, 2)
    assert values.tolist() == [[2, 4], [6, 8]]
    data = bytearray(4)
    library.function("fill", None, [isolate.Out(c_uint8), c_size_t, c_uint8])(data, 3, 9)
    assert data == b"\x09\x09\x09\x00"


def test_bytes_can_be_read_and_none_is_a_null_pointer(copy):
    is_null = copy.function("is_null", c_int, [isolate.In()])
    assert (is_null(b"abc"), is_null(None), is_null(np.zeros(3, np.int16))) == (0, 1, 0)


@pytest.mark.parametrize(
    ("argtypes", "values", "name", "words"),
    [
        ([c_int], (), "ARGUMENT_COUNT", "same: wanted 1 arguments, found 0"),
        ([c_int], (1, 2), "ARGUMENT_COUNT", "same: wanted 1 arguments, found 2"),
        ([c_int], (2**31,), "INVALID_ARGUMENT", "same: argument 1 (c_int): 2147483648 does not fit into int32"),
        ([c_uint8], (-1,), "INVALID_ARGUMENT", "argument 1 (c_ubyte): -1 does not fit into uint8"),
        ([c_uint64], (2**64,), "INVALID_ARGUMENT", "18446744073709551616 does not fit into uint64"),
        ([c_int], (1.5,), "INVALID_ARGUMENT", "wanted an integer (int32), found float"),
        ([c_int, c_double], (1, "2"), "INVALID_ARGUMENT", "argument 2 (c_double): wanted a number, found str"),
        ([c_char_p], ("text",), "INVALID_ARGUMENT", "wanted bytes or None, found str"),
        ([c_char_p], (b"a\0b",), "INVALID_ARGUMENT", "found one after 1 bytes"),
        ([c_void_p], (b"memory",), "INVALID_ARGUMENT", "wanted an address that the library returned"),
        ([c_void_p], (-1,), "INVALID_ARGUMENT", "-1 does not fit into uint64"),
        ([c_void_p], (print,), "SIGNATURE_UNSUPPORTED", "thread-specific data"),
        ([isolate.In()], (print,), "SIGNATURE_UNSUPPORTED", "thread-specific data"),
        ([isolate.In("float64")], (np.zeros(3, np.int32),), "ARGUMENT_DTYPE", "wanted dtype float64, found int32"),
        ([isolate.In("float64")], (np.zeros((4, 4))[:, ::2],), "ARGUMENT_LAYOUT", "argument 1 (In float64)"),
        ([isolate.Out()], (b"bytes",), "ARGUMENT_READ_ONLY", "argument 1 (Out of any dtype)"),
        ([isolate.InOut("uint8")], (b"bytes",), "ARGUMENT_READ_ONLY", "argument 1 (InOut uint8)"),
        ([isolate.In()], ("text",), "INVALID_ARGUMENT", "wanted an array"),
    ],
)
def test_wrong_values_are_errors(copy, argtypes, values, name, words):
    with pytest.raises(ArgumentError) as caught:
        copy.function("same", c_uint64, argtypes)(*values)
    assert caught.value.name == name
    assert words in str(caught.value)


class Pair(ctypes.Structure):
    _fields_ = (("a", c_int), ("b", c_int))


@pytest.mark.parametrize(
    ("restype", "argtypes", "words"),
    [
        (None, [Pair], "argument 1 of same: Pair is a structure by value"),
        (Pair, [], "result of same: Pair is a structure by value"),
        (None, [c_int, ...], "argument 2 of same: variadic functions"),
        (None, [ctypes.CFUNCTYPE(c_int)], "thread-specific data"),
        (None, [print], "thread-specific data"),
        (None, [ctypes.POINTER(c_int)], "does not say who writes"),
        (None, [ctypes.c_longdouble], "c_longdouble has no counterpart"),
        (None, [ctypes.c_wchar_p], "c_wchar_p has no counterpart"),
        (None, [ctypes.py_object], "py_object has no counterpart"),
        (None, [int], "int has no counterpart"),
        (None, [None], "found None"),
        (None, ["float64"], "found 'float64'"),
        (isolate.Out(), [], "a result cannot be a buffer"),
        (None, [c_int] * 200, "find no register"),
    ],
)
def test_types_that_cannot_be_passed_are_errors(copy, restype, argtypes, words):
    with pytest.raises(ArgumentError) as caught:
        copy.function("same", restype, argtypes)(*[0] * len(argtypes))
    assert caught.value.name == "SIGNATURE_UNSUPPORTED"
    assert words in str(caught.value)


@pytest.mark.parametrize("dtype", ["float65", c_char_p, object(), int])
def test_buffers_of_unknown_elements_are_errors(dtype):
    with pytest.raises(ArgumentError):
        isolate.In(dtype)


def test_memory_holds_what_points_to_more(library):
    def keep(data) -> isolate.Memory:
        memory = library.alloc(memoryview(data).nbytes)
        memory.write(data)
        return memory

    node = keep(struct.pack("<QQQ", keep(np.array([1.0, 2.0])).address, 2, 0))
    first = keep(struct.pack("<QQQ", keep(array.array("d", [0.5])).address, 1, node.address))
    total = library.function("sum_of_list", c_double, [c_void_p])
    assert (total(first), total(node), total(node.address), total(None)) == (3.5, 3, 3, 0)


def test_memory_is_read_and_written(library):
    memory = library.alloc(np.int64(12))
    assert (memory.bytes, memory.address % 64, memory.read()) == (12, 0, bytes(12))
    memory.write(np.array([1, 2, 3], np.int32))
    memory.write(b"\xff", offset=11)
    library.function("fill", None, [c_void_p, c_size_t, c_uint8])(memory.address + 4, 2, 9)
    assert memory.read() == b"\1\0\0\0\x09\x09\0\0\3\0\0\xff"
    assert (memory.read(2, 4), memory.read(0, 12), memory.read(offset=11)) == (b"\x09\x09", b"", b"\xff")
    found = np.zeros((2, 1), np.int16)
    memory.read_into(found, offset=4)
    assert found.tolist() == [[0x0909], [0]]
    assert repr(memory) == f"Memory(0x{memory.address:x}, 12 bytes)"


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda memory, _: memory.write(bytes(9)), "write: wanted 9 bytes from byte 0 on, of memory that has 8"),
        (lambda memory, _: memory.write(b"1", 8), "write: wanted 1 bytes from byte 8 on, of memory that has 8"),
        (lambda memory, _: memory.write(b"1", -1), "write: offset: wanted a number of bytes, 0 or more; found -1"),
        (lambda memory, _: memory.write("text"), "write: the data"),
        (lambda memory, _: memory.read(9), "read: wanted 9 bytes from byte 0 on, of memory that has 8"),
        (lambda memory, _: memory.read(offset=9), "read: wanted 0 bytes from byte 9 on, of memory that has 8"),
        (lambda memory, _: memory.read(2**63, 1), f"read: wanted {2**63} bytes from byte 1 on, of memory that has 8"),
        (lambda memory, _: memory.read(1.5), "read: bytes: wanted a number of bytes, 0 or more; found 1.5"),
        (lambda memory, _: memory.read_into(bytearray(9)), "read: wanted 9 bytes from byte 0 on"),
        (lambda memory, _: memory.read_into(bytes(8)), "read_into: the array"),
        (lambda _, library: library.alloc(0), "alloc: wanted 1 byte or more, found 0"),
        (lambda _, library: library.alloc(-1), "alloc: bytes: wanted a number of bytes, 0 or more; found -1"),
        (lambda _, library: library.alloc(2**64), "alloc: bytes: wanted a number of bytes, 0 or more; found 18446"),
    ],
)
def test_what_lies_outside_memory_is_an_error(library, use, words):
    memory = library.alloc(8)
    with pytest.raises(ArgumentError) as caught:
        use(memory, library)
    assert words in str(caught.value)
    assert memory.read() == bytes(8)


def test_memory_that_there_is_not_is_an_error(library):
    with pytest.raises(
        chiphost.DeviceMemoryError, match=r"HOST_MEMORY_EXHAUSTED.* the system has no \d+ bytes of memory"
    ):
        library.alloc(2**60)


def test_memory_that_is_gone_is_an_error(path, library):
    memory, other = library.alloc(8), library.alloc(8)
    read = library.function("read_cell", c_int, [c_void_p])
    memory.free()
    memory.free()
    for use in (lambda: memory.write(b"1"), memory.read, lambda: read(memory)):
        with pytest.raises(ArgumentError, match="was freed"):
            use()
    words = "wanted memory of this library, found some that another one has made"
    with isolate.open(path, library.strategy) as stranger, pytest.raises(ArgumentError, match=words):
        stranger.function("read_cell", c_int, [c_void_p])(other)
    library.close()
    for use in (other.read, other.free, lambda: library.alloc(1)):
        with pytest.raises(StateError, match="the library was closed"):
            use()


def test_memory_keeps_no_library_open(path):
    memory = isolate.open(path, "copy").alloc(8)
    gc.collect()
    with pytest.raises(StateError, match="the library was closed"):
        memory.read()


def test_memory_goes_with_its_process(path):
    library = isolate.open(path, "process")
    memory = library.alloc(8)
    with pytest.raises(ProcessError):
        library.function("crash")()
    for use in (memory.read, memory.free, lambda: library.alloc(8)):
        with pytest.raises(StateError, match="the library's globals are gone with it"):
            use()


@pytest.mark.parametrize("strategy", ["copy", "namespace"])
def test_memory_waits_for_the_call_that_is_under_way(path, strategy):
    """It must not change, nor be given back, while the library works on it."""
    with isolate.open(path, strategy) as library, ThreadPoolExecutor(2) as threads:
        memory = library.alloc(8)
        here = np.zeros(1, np.int32)
        call = threads.submit(library.function("meet", c_int, [isolate.InOut("int32"), c_int]), here, 2)
        while here[0] == 0:
            time.sleep(0.001)
        write = threads.submit(memory.write, b"1")
        time.sleep(0.1)
        assert not write.done()
        here[0] = 2
        assert call.result() == 1
        write.result()
        assert memory.read(1) == b"1"


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


def in_a_process(path: Path, program: str, first: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """`first` comes before chiphost is imported."""
    text = f"{first}\nimport sys\nfrom ctypes import c_int\nfrom chiphost import isolate\npath = sys.argv[1]\n"
    command = [sys.executable, "-c", text + textwrap.dedent(program), str(path)]
    environment = {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)


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
    # What was registered first runs last: after the calls have ended there is time for those threads.
    last = "import atexit, time; atexit.register(time.sleep, 0.5)"
    done = in_a_process(path, program, first=last)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


UNIQUE = """
template <typename T> struct Once { static int calls; };
template <typename T> int Once<T>::calls = 0;
extern "C" int count() { return ++Once<int>::calls; }
"""


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


@pytest.mark.parametrize(
    ("name", "arguments", "how"),
    [
        ("crash", (), "was killed by SIGSEGV while it was running; its last words on stderr:\nabout to crash"),
        ("give_up", (), "was killed by SIGABRT while it was running"),
        ("leave", (3,), "exited with code 3 while it was running"),
        ("leave", (0,), "exited with code 0 while it was running"),
    ],
)
def test_the_end_of_its_process_is_an_error(path, name, arguments, how):
    with isolate.open(path, "process") as other, isolate.open(path, "process") as library:
        end = library.function(name, None, [c_int] * len(arguments))
        with pytest.raises(ProcessError) as caught:
            end(*arguments)
        assert (caught.value.name, caught.value.where) == ("PROCESS_DIED", name)
        assert how in caught.value.message
        assert library.poisoned
        assert library.process_id is None
        with pytest.raises(StateError, match="the library's globals are gone with it"):
            end(*arguments)
        assert library.close().state == "unloaded"
        assert other.function("next_call", c_int)() == 1


def test_a_process_that_hangs_is_killed(path):
    library = isolate.open(path, "process")
    with pytest.raises(DeadlineError, match="was killed"):
        library.function("wait_for_release", c_int)(timeout_s=0.05)
    with pytest.raises(StateError, match="was killed by SIGKILL in wait_for_release"):
        library.function("next_call", c_int)
    assert library.close() == isolate.CloseResult("unloaded", (), False)


def test_a_process_may_be_killed_between_calls_and_in_a_call(path):
    with isolate.open(path, "process") as library:
        count = library.function("next_call", c_int)
        os.kill(library.process_id, signal.SIGKILL)
        with pytest.raises(ProcessError, match="was killed by SIGKILL"):
            count()
    with isolate.open(path, "process") as library, ThreadPoolExecutor(1) as thread:
        call = thread.submit(library.function("wait_for_release", c_int))
        os.kill(library.process_id, signal.SIGKILL)
        with pytest.raises(ProcessError, match="was killed by SIGKILL"):
            call.result()


def test_an_address_of_the_callers_is_refused(path):
    with isolate.open(path, "process") as library:
        is_null = library.function("is_null", c_int, [c_void_p])
        assert (is_null(None), is_null(1)) == (1, 0)
        # Only one that the child has no memory at can be told; of several large ones at least one is.
        memory = [np.zeros(32 << 20, np.uint8) for _ in range(8)]
        refused = 0
        for one in memory:
            try:
                is_null(one.ctypes.data + (16 << 20))
            except ArgumentError as error:
                assert "argument 1 is an address of the caller's memory" in error.message
                refused += 1
        assert refused


def test_nothing_is_left_of_a_killed_parent(path, tmp_path):
    program = """
    import os, signal
    library = isolate.open(path, "process")
    hang = isolate.open(path, "process")
    import threading
    threading.Thread(target=hang.function("wait_for_release", c_int), daemon=True).start()
    print(library.process_id, hang.process_id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    """
    done = in_a_process(path, program, TMPDIR=str(tmp_path))
    assert done.returncode == -signal.SIGKILL, done.stderr
    children = [int(word) for word in done.stdout.split()]
    assert len(children) == 2
    deadline = time.monotonic() + 120
    while any(is_alive(child) for child in children) or any(tmp_path.iterdir()):
        assert time.monotonic() < deadline, (children, list(tmp_path.iterdir()))
        time.sleep(0.01)


def is_alive(process: int) -> bool:
    """Whether it runs; a zombie, which its new parent has not reaped, does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_fifty_processes(path):
    libraries = [isolate.open(path, "process") for _ in range(50)]
    counts = [library.function("next_call", c_int) for library in libraries]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda count: (count(), count()), counts)) == [(1, 2)] * 50
    assert len({library.process_id for library in libraries}) == 50
    assert {library.close().state for library in libraries} == {"unloaded"}


def test_a_strategy_that_was_asked_for_has_that_reason(library):
    assert library.strategy_reason == "asked for"


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
    """Whether the first and the second of two instances got the lock of one file."""
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


LOOKER = r"""
#include <dlfcn.h>
#include <stddef.h>
typedef int Find(const char*);
#ifdef PLUGIN
extern "C" int finds(const char* name) { return dlsym(RTLD_DEFAULT, name) != NULL; }
#else
static Find* plugin;
extern "C" {
int own() { return 1; }
int begin(const char* path) {
    void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return handle && (plugin = (Find*)dlsym(handle, "finds"));
}
int plugin_finds(const char* name) { return plugin(name); }
int finds(const char* name) { return dlsym(RTLD_DEFAULT, name) != NULL; }
}
#endif
"""


@pytest.fixture(scope="module")
def looker(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A library that looks symbols up, and one that it loads."""
    folder = tmp_path_factory.mktemp("looker")
    plugin = c_libraries.build(LOOKER, folder / "plugin.so", "-DPLUGIN")
    return c_libraries.build(LOOKER, folder / "looker.so"), plugin


@pytest.mark.parametrize("strategy", ["namespace", "process"])
@pytest.mark.parametrize("shown", [False, True])
def test_lookups_with_rtld_default(looker, strategy, shown):
    path, plugin = looker
    with isolate.open(path, strategy, default_lookup=shown) as library:
        assert library.function("begin", c_int, [c_char_p])(os.fsencode(plugin))
        names = (b"own", b"malloc", b"none_of_this_name")
        finds = library.function("finds", c_int, [c_char_p])
        assert [finds(name) for name in names] == [1, 1, 0]
        finds = library.function("plugin_finds", c_int, [c_char_p])
        assert [finds(name) for name in names] == [shown, 1, 0]


def test_default_lookup_is_not_to_be_had_for_a_copy(looker):
    with pytest.raises(ArgumentError, match=r"default_lookup: a copy cannot have it.* take namespace or process for"):
        isolate.open(looker[0], "copy", default_lookup=True)


def test_auto_takes_no_namespace_for_lookups_that_may_find_nothing(looker, monkeypatch):
    """H15: nothing but the option makes it one, and a copy has not got that."""
    path, plugin = looker
    monkeypatch.setattr(Program, "glibc", (2, 36))
    with isolate.open(plugin, "auto") as library:
        assert library.strategy == "copy"
        assert library.strategy_reason.startswith("auto: namespace is out (default-lookup); copy works with care (")
    with isolate.open(path, "auto", default_lookup=True) as library:
        assert library.strategy == "namespace"
        assert library.strategy_reason.startswith("auto: namespace works")
    monkeypatch.setattr(_core, "namespaces_unavailable", lambda: "no dlmopen")
    with isolate.open(path, "auto", default_lookup=True) as library:
        assert library.strategy == "process"
        assert "namespace is out (no dlmopen); copy is out (default-lookup)" in library.strategy_reason

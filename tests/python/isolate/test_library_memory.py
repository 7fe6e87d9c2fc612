# SPDX-License-Identifier: Apache-2.0
"""Memory of an isolated library that its caller reads and writes."""

from __future__ import annotations

import array
import gc
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from ctypes import c_double, c_int, c_size_t, c_uint8, c_void_p

import numpy as np
import pytest

import chiphost
from chiphost import isolate
from chiphost.errors import ArgumentError, ProcessError, StateError


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

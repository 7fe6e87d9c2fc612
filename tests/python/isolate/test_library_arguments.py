# SPDX-License-Identifier: Apache-2.0
"""The arguments of a function of an isolated library, and its results."""

from __future__ import annotations

import array
import ctypes
from ctypes import c_bool, c_char_p, c_double, c_float, c_int, c_int8, c_size_t, c_uint8, c_uint64, c_void_p

import numpy as np
import pytest

from chiphost import isolate
from chiphost.errors import ArgumentError


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

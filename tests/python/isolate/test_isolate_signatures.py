# SPDX-License-Identifier: Apache-2.0
"""Random signatures: functions store their arguments, and the test compares them with the values that it passed."""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import c_libraries
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chiphost import isolate

SLOT_BYTES = 16


@dataclass(frozen=True)
class Scalar:
    """A type in C, in ctypes and in the struct module, and its values."""

    c: str
    python: Any
    code: str
    values: st.SearchStrategy[Any]

    def bytes_of(self, value: Any) -> bytes:
        return struct.pack("<" + self.code, value)


def integers(c: str, python: Any, code: str) -> Scalar:
    bits = 8 * struct.calcsize("<" + code)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if code.islower() else (0, 2**bits - 1)
    return Scalar(c, python, code, st.integers(low, high) | st.sampled_from([low, high]))


FLOATS = {"allow_nan": False}
SCALARS = [
    integers("int8_t", ctypes.c_int8, "b"),
    integers("uint8_t", ctypes.c_uint8, "B"),
    integers("int16_t", ctypes.c_int16, "h"),
    integers("uint16_t", ctypes.c_uint16, "H"),
    integers("int32_t", ctypes.c_int32, "i"),
    integers("uint32_t", ctypes.c_uint32, "I"),
    integers("int64_t", ctypes.c_int64, "q"),
    integers("uint64_t", ctypes.c_uint64, "Q"),
    Scalar("bool", ctypes.c_bool, "?", st.booleans()),
    Scalar("float", ctypes.c_float, "f", st.floats(width=32, **FLOATS)),
    Scalar("double", ctypes.c_double, "d", st.floats(**FLOATS)),
]
# Half of the scalars are floating-point, so that both kinds overflow to the stack.
scalars = st.sampled_from(SCALARS[:9]) | st.sampled_from(SCALARS[9:])
scalar_arguments = scalars.flatmap(lambda kind: st.tuples(st.just(kind), kind.values))
slots = st.binary(min_size=SLOT_BYTES, max_size=SLOT_BYTES)
buffer_arguments = st.tuples(st.sampled_from(["in", "out", "inout"]), slots)
text_arguments = st.tuples(st.just("text"), st.binary(max_size=SLOT_BYTES - 1).filter(lambda text: b"\0" not in text))


@dataclass(frozen=True)
class Function:
    """A random function: its parameters, with the values for one call, and its result."""

    arguments: list[tuple[Any, Any]]
    result: tuple[Scalar, Any]

    def source(self, index: int) -> str:
        parameters, lines = [], []
        for at, (kind, _) in enumerate(self.arguments):
            stored = f"stored[{at}]"
            if isinstance(kind, Scalar):
                parameters.append(f"{kind.c} a{at}")
                lines.append(f"memcpy({stored}, &a{at}, sizeof a{at});")
            elif kind == "text":
                parameters.append(f"const char* a{at}")
                lines.append(f"strcpy(reinterpret_cast<char*>({stored}), a{at});")
            else:
                parameters.append(f"{'const ' if kind == 'in' else ''}unsigned char* a{at}")
                if kind != "out":
                    lines.append(f"memcpy({stored}, a{at}, {SLOT_BYTES});")
                if kind != "in":
                    lines.append(f"for (int i = 0; i < {SLOT_BYTES}; ++i) a{at}[i] = {at} + i;")
        kind, value = self.result
        bytes_text = ", ".join(map(str, kind.bytes_of(value)))
        lines += [f"const unsigned char r[] = {{{bytes_text}}};", f"{kind.c} result;", "memcpy(&result, r, sizeof r);"]
        body = "\n  ".join(lines)
        return f"{kind.c} f{index}({', '.join(parameters)}) {{\n  {body}\n  return result;\n}}"


functions = st.builds(
    Function,
    st.lists(scalar_arguments | scalar_arguments | scalar_arguments | buffer_arguments | text_arguments, max_size=28),
    scalar_arguments,
)

HEADER = f"""
#include <stdint.h>
#include <string.h>
static unsigned char stored[64][{SLOT_BYTES}];
extern "C" {{
void take_stored(unsigned char* out) {{ memcpy(out, stored, sizeof stored); memset(stored, 0, sizeof stored); }}
"""


def check(library: isolate.Library, index: int, function: Function) -> None:
    argtypes, values = [], []
    for kind, value in function.arguments:
        if isinstance(kind, Scalar):
            argtypes.append(kind.python)
            values.append(value)
        elif kind == "text":
            argtypes.append(ctypes.c_char_p)
            values.append(value)
        else:
            argtypes.append({"in": isolate.In, "out": isolate.Out, "inout": isolate.InOut}[kind]("uint8"))
            values.append(np.frombuffer(value, np.uint8).copy())
    kind, expected = function.result
    found = library.function(f"f{index}", kind.python, argtypes)(*values)
    assert kind.bytes_of(found) == kind.bytes_of(expected)

    stored = np.zeros((64, SLOT_BYTES), np.uint8)
    library.function("take_stored", None, [isolate.Out("uint8")])(stored)
    for at, ((kind, value), passed) in enumerate(zip(function.arguments, values, strict=True)):
        wanted = kind.bytes_of(value) if isinstance(kind, Scalar) else b"" if kind == "out" else value
        assert stored[at].tobytes() == wanted.ljust(SLOT_BYTES, b"\0"), f"argument {at}"
        if kind in ("out", "inout"):
            assert passed.tolist() == [at + i for i in range(SLOT_BYTES)]


@pytest.mark.parametrize("strategy", ["copy", "namespace", "process"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some=st.lists(functions, min_size=4, max_size=8))
def test_random_signatures(strategy: str, tmp_path_factory: pytest.TempPathFactory, some: list[Function]) -> None:
    folder: Path = tmp_path_factory.mktemp("signatures")
    source = HEADER + "\n".join(function.source(index) for index, function in enumerate(some)) + "\n}\n"
    with isolate.open(c_libraries.build(source, folder / "random.so"), strategy) as library:
        for index, function in enumerate(some):
            check(library, index, function)

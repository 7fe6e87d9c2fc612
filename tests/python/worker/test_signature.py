# SPDX-License-Identifier: Apache-2.0
"""The arguments of a callable: what makes one, and what it becomes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chiphost as ch
from chiphost.signature import Arg, In, InOut, Out, Scalar

LENGTHS = st.none() | st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize(("make", "kind"), [(In, "in"), (Out, "out"), (InOut, "inout")])
@given(shape=st.lists(LENGTHS))
def test_a_shape_is_a_tuple_of_numbers_whatever_it_was(make, kind, shape):
    made = make("x", "float32", shape)
    assert made == Arg("x", kind, "float32", tuple(shape))
    assert made == make("x", np.float32, [None if length is None else np.int64(length) for length in shape])


def test_what_is_not_given_accepts_everything():
    assert In("x") == Arg("x", "in", None, None)
    assert Scalar("n") == Arg("n", "scalar", "int64")


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        ("bfloat16", "bfloat16"),
        (np.float16, "float16"),
        (np.dtype("int8"), "int8"),
        (np.dtype("float32").newbyteorder(), ">f4"),  # a run refuses it, and the name says why
        (np.str_("uint8"), "uint8"),
    ],
)
def test_a_dtype_is_kept_by_its_name(dtype, name):
    kept = In("x", dtype).dtype
    assert kept == name
    assert type(kept) is str


@pytest.mark.parametrize("dtype", [float, 4, ["float32"], object()])
def test_what_is_no_dtype_is_refused(dtype):
    with pytest.raises(ch.ArgumentError, match=r"wanted a name, a numpy\.dtype") as caught:
        Out("x", dtype)
    assert (caught.value.name, caught.value.where) == ("ARGUMENT_DTYPE", "argument x")


@pytest.mark.parametrize("shape", [4, (1.5,), ("3",), ((2,),)])
def test_what_is_no_shape_is_refused(shape):
    with pytest.raises(ch.ArgumentError, match="wanted a sequence of integers and None") as caught:
        In("x", None, shape)
    assert (caught.value.name, caught.value.where) == ("ARGUMENT_SHAPE", "argument x")


@pytest.mark.parametrize("name", [None, 3, b"x"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ch.ArgumentError, match="wanted a name, found"):
        Scalar(name)

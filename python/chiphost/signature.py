# SPDX-License-Identifier: Apache-2.0
"""What a callable takes: a name, a direction and, if wanted, a dtype and a shape for every argument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["in", "out", "inout", "scalar"]
Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Arg:
    """One argument of a callable.

    Attributes:
        name: for messages and for scenes.
        kind: "in", "out" and "inout" are arrays; "scalar" is one number.
        dtype: NumPy or ml_dtypes name, for example "float16" or "bfloat16"; None accepts every supported one.
        shape: length of each dimension, None where any length will do; None as a whole accepts every shape.
    """

    name: str
    kind: Kind
    dtype: str | None = None
    shape: Shape | None = None


def In(name: str, dtype: str | None = None, shape: Sequence[int | None] | None = None) -> Arg:
    """An array that the run reads."""
    return Arg(name, "in", dtype, None if shape is None else tuple(shape))


def Out(name: str, dtype: str | None = None, shape: Sequence[int | None] | None = None) -> Arg:
    """An array that the run writes, in place."""
    return Arg(name, "out", dtype, None if shape is None else tuple(shape))


def InOut(name: str, dtype: str | None = None, shape: Sequence[int | None] | None = None) -> Arg:
    """An array that the run reads and writes, in place."""
    return Arg(name, "inout", dtype, None if shape is None else tuple(shape))


def Scalar(name: str, dtype: str = "int64") -> Arg:
    """One number, passed as a 64-bit word: integers in two's complement, floats by their bits."""
    return Arg(name, "scalar", dtype)

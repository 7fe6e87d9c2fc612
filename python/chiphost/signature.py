# SPDX-License-Identifier: Apache-2.0
"""The arguments of a callable: each has a name, a direction and, if wanted, a dtype and a shape."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

from .errors import make_error

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["in", "out", "inout", "scalar"]
Shape = tuple[int | None, ...]
Dtype: TypeAlias = "str | np.dtype[Any] | type[np.generic]"

_DTYPE_HINT: Final = "name one of chiphost's dtypes, for example In('x', 'float32')"


@dataclass(frozen=True)
class Arg:
    """One argument of a callable.

    Attributes:
        name: for messages and for scenes.
        kind: "in", "out" and "inout" are arrays; "scalar" is one number.
        dtype: NumPy or ml_dtypes name, for example "float16" or "bfloat16"; None accepts every supported one. A
            numpy.dtype and a scalar type such as numpy.float32 stand for their names.
        shape: length of each dimension, None where any length will do; None as a whole accepts every shape.

    Raises ArgumentError for what cannot be a name, a dtype or a shape.
    """

    name: str
    kind: Kind
    dtype: str | None = None
    shape: Shape | None = None

    def __post_init__(self) -> None:
        """Keep the dtype by its name and the shape as a tuple of numbers."""
        if not isinstance(self.name, str):
            raise make_error("INVALID_ARGUMENT", f"wanted a name, found {self.name!r}", "name of an argument")
        where = f"argument {self.name}"
        object.__setattr__(self, "dtype", None if self.dtype is None else dtype_name(self.dtype, where))
        object.__setattr__(self, "shape", None if self.shape is None else _lengths(self.shape, where))


def In(name: str, dtype: Dtype | None = None, shape: Sequence[int | None] | None = None) -> Arg:
    """An array that the run reads."""
    return _arg(name, "in", dtype, shape)


def Out(name: str, dtype: Dtype | None = None, shape: Sequence[int | None] | None = None) -> Arg:
    """An array that the run writes, in place."""
    return _arg(name, "out", dtype, shape)


def InOut(name: str, dtype: Dtype | None = None, shape: Sequence[int | None] | None = None) -> Arg:
    """An array that the run reads and writes, in place."""
    return _arg(name, "inout", dtype, shape)


def Scalar(name: str, dtype: Dtype = "int64") -> Arg:
    """One number, passed as a 64-bit word: integers in two's complement, floats by their bits."""
    return _arg(name, "scalar", dtype)


def _arg(name: str, kind: Kind, dtype: Dtype | None, shape: Sequence[int | None] | None = None) -> Arg:
    return Arg(name, kind, cast("str | None", dtype), cast("Shape | None", shape))  # made exact by __post_init__


def dtype_name(dtype: object, where: str) -> str:
    """The name of a dtype given as a name, a numpy.dtype or a scalar type; ArgumentError for anything else."""
    if isinstance(dtype, str):
        return str(dtype)
    import numpy as np  # a caller with one of its types has imported it already

    if isinstance(dtype, type) and issubclass(dtype, np.generic):
        dtype = np.dtype(dtype)
    if isinstance(dtype, np.dtype):
        return str(dtype.name if dtype.isnative else dtype)
    message = f"wanted a name, a numpy.dtype or one of NumPy's scalar types; found {dtype!r}"
    raise make_error("ARGUMENT_DTYPE", message, where, hint=_DTYPE_HINT)


def _lengths(shape: object, where: str) -> Shape:
    try:
        return tuple(None if length is None else operator.index(length) for length in cast("Sequence[Any]", shape))
    except TypeError:
        message = f"wanted a sequence of integers and None, one for each dimension; found {shape!r}"
        raise make_error("ARGUMENT_SHAPE", message, where, hint="for example In('x', 'float32', (None, 16))") from None

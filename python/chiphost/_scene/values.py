# SPDX-License-Identifier: Apache-2.0
"""The values of a scene's arguments: their types, and how they fit the entries of the signature."""

from __future__ import annotations

import numbers
from typing import Any

import ml_dtypes  # noqa: F401 - gives NumPy the names "bfloat16", "float8_e4m3fn", ...
import numpy as np
import numpy.typing as npt

from ..signature import Arg

Array = npt.NDArray[Any]
# Arguments by name, in the order of the signature: arrays, and a number for each scalar.
Args = dict[str, Any]


def is_dtype(name: str | None) -> bool:
    try:
        return name is None or np.dtype(name) is not None
    except TypeError:
        return False


def mismatch(arg: Arg, value: object) -> str:
    """The difference between a value and its entry in the signature; empty if there is none."""
    if arg.kind == "scalar":
        integral = arg.dtype is not None and np.dtype(arg.dtype).kind in "biu"
        wanted = numbers.Integral if integral else numbers.Real
        return "" if isinstance(value, wanted) else f"is {describe(value)}, not a number that fits {arg.dtype}"
    if not isinstance(value, np.ndarray):
        return f"is {describe(value)}, not a NumPy array"
    if arg.dtype is not None and value.dtype != np.dtype(arg.dtype):
        return f"has dtype {value.dtype}, not {arg.dtype}"
    if arg.shape is not None:
        lengths_fit = all(want in (None, length) for want, length in zip(arg.shape, value.shape, strict=False))
        if len(arg.shape) != value.ndim or not lengths_fit:
            return f"has shape {value.shape}, not {arg.shape}"
    return "" if value.flags.c_contiguous else "is not C-contiguous"


def widen(arg: Arg, value: Any) -> Any:
    """A copy of the values that the run sees, with floats as float64: a scalar is rounded to its dtype first."""
    if arg.kind == "scalar":
        value = np.asarray(value).astype(arg.dtype)
        return int(value) if value.dtype.kind in "biu" else float(value)
    return value.copy() if value.dtype.kind in "biu" else value.astype(np.float64)


def describe(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} with shape {value.shape}"
    return f"{value!r} ({type(value).__name__})"

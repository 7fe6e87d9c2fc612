# SPDX-License-Identifier: Apache-2.0
"""The places of chiphost's C++ headers, for `include_dirs` of kernels and for compilers that other code calls."""

from __future__ import annotations

import functools
from pathlib import Path

from .errors import make_error

__all__ = ["compat_dir", "include_dir"]


@functools.cache
def include_dir() -> Path:
    """The folder to pass with -I so that <chiphost/kernel.h> is found: the installed one, else the checkout's.

    Raises CompileError (COMPILE_FAILED) if neither exists.
    """
    package = Path(__file__).resolve().parent
    places = (package / "include", package.parents[1] / "cpp" / "include")
    for place in places:
        if (place / "chiphost" / "kernel.h").is_file():
            return place
    message = "chiphost's C++ headers are missing; looked in " + " and ".join(map(str, places))
    raise make_error("COMPILE_FAILED", message, hint="install chiphost again")


def compat_dir() -> Path:
    """The folder with the headers for sources that were written for simpler. Raises as `include_dir`."""
    include = include_dir()
    return include.parent / "compat"

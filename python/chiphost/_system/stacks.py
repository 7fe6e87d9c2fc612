# SPDX-License-Identifier: Apache-2.0
"""The size of the stacks on which isolated code runs."""

from __future__ import annotations

import operator
import os
from typing import Final

from ..errors import make_error

_BYTES_MAX: Final = 2**40


def stack_bytes_or_default(stack_bytes: object) -> int:
    """The size that was asked for, or that the environment gives; 0 means the usual size.

    Raises ArgumentError (INVALID_ARGUMENT), or ConfigError (CONFIG_OUT_OF_RANGE) for the environment.
    """
    try:
        wanted = operator.index(stack_bytes)  # type: ignore[arg-type]
    except TypeError:
        message = f"wanted a number of bytes, found {stack_bytes!r}"
        raise make_error("INVALID_ARGUMENT", message, "stack_bytes") from None
    if not 0 <= wanted <= _BYTES_MAX:
        raise make_error("INVALID_ARGUMENT", f"wanted 0 to {_BYTES_MAX} bytes, found {wanted}", "stack_bytes")
    if wanted or not (text := os.environ.get("CHIPHOST_STACK_BYTES")):
        return wanted
    if not text.isascii() or not text.isdigit() or int(text) > _BYTES_MAX:
        raise make_error(
            "CONFIG_OUT_OF_RANGE", f"wanted 0 to {_BYTES_MAX} bytes, found {text!r}", "CHIPHOST_STACK_BYTES"
        )
    return int(text)

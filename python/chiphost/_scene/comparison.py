# SPDX-License-Identifier: Apache-2.0
"""The comparison of an output of a run with the result that the scene expects."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from .values import Array

_SHOWN_DIFFERENCES: Final = 4


def compare(name: str, got: Array, want: Array, rtol: float, atol: float) -> list[str]:
    """A report of the elements that differ, or nothing."""
    shape = got.shape
    got, want = got.reshape(-1), want.reshape(-1)
    exact = want.dtype.kind in "biu"
    with np.errstate(invalid="ignore", over="ignore"):
        wide = got.astype(np.float64)
        difference = np.abs(wide - want)
        if exact:
            right = got == want
        else:
            # The tolerance is for finite numbers: compared with an infinity every difference would be small.
            right = np.isfinite(want) & (difference <= atol + rtol * np.abs(want))
            right |= (wide == want) | (np.isnan(wide) & np.isnan(want))
    wrong = np.flatnonzero(~right)
    if not wrong.size:
        return []

    def show(which: str, flat: Any) -> str:
        index = [int(i) for i in np.unravel_index(flat, shape)]
        shown = f"expected {_number(want[flat])}, got {_number(got[flat])}, difference {difference[flat]:.3g}"
        return f"  {which} {index}: {shown}"

    worst = wrong[np.argmax(np.nan_to_num(difference[wrong], nan=np.inf))]
    tolerance = "compared exactly" if exact else f"rtol {rtol:g}, atol {atol:g}"
    lines = [f"{name}: {wrong.size} of {got.size} elements differ ({tolerance})", show("worst", worst)]
    if wrong.size > 1:
        lines += [show("first", flat) for flat in wrong[:_SHOWN_DIFFERENCES]]
    return lines


def _number(value: Any) -> str:
    value = value.item()
    return f"{value:.9g}" if isinstance(value, float) else str(value)

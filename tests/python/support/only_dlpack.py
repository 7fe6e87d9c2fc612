# SPDX-License-Identifier: Apache-2.0
"""An array that other libraries see by DLPack only."""

from __future__ import annotations

import numpy as np


class OnlyDlpack:
    """An array without the buffer protocol."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack__(self, **options: object) -> object:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

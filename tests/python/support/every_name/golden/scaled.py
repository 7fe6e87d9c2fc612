# SPDX-License-Identifier: Apache-2.0
"""y = 2 * factor * x, for all three scenes."""

import ctypes

import numpy as np

__outputs__ = ["y"]
RTOL = ATOL = 1e-6


def generate_inputs(params):
    x = np.arange(32, dtype=np.float32).reshape(4, 8)
    return [("x", x), ("y", np.full_like(x, np.nan)), ("factor", ctypes.c_float(1.5))]


def compute_golden(tensors, params):
    tensors["y"][:] = 2 * tensors["factor"] * tensors["x"]

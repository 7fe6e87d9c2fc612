# SPDX-License-Identifier: Apache-2.0
"""out = factor * x + y"""

import ctypes

import numpy as np

__outputs__ = ["out"]
RTOL = 1e-5
ATOL = 1e-5
ALL_CASES = {
    "small": {"rows": 4, "columns": 16},
    "large": {"rows": 64, "columns": 256},
}
DEFAULT_CASE = "small"


def generate_inputs(params):
    rng = np.random.default_rng(42)
    shape = (params["rows"], params["columns"])
    return [
        ("x", rng.random(shape, np.float32)),
        ("y", rng.random(shape, np.float32)),
        ("out", np.zeros(shape, np.float32)),
        ("factor", ctypes.c_float(1.5)),
    ]


def compute_golden(tensors, params):
    tensors["out"][:] = tensors["factor"] * tensors["x"] + tensors["y"]

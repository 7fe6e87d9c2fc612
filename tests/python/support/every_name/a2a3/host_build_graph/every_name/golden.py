# SPDX-License-Identifier: Apache-2.0
"""Uses every name of simpler's that chiphost has, and looks at what it gives."""

from scaled import ATOL, RTOL, __outputs__, compute_golden, generate_inputs

__all__ = ["ATOL", "RTOL", "__outputs__", "compute_golden", "generate_inputs"]

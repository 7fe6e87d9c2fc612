# SPDX-License-Identifier: Apache-2.0
"""The resources of a chip, as its platform gives them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chip:
    """Constants of a platform.

    Attributes:
        clusters: most clusters (1 AIC and 2 AIV cores each) that a run may use.
        aicpu_threads: most AICPU threads.
        memory_bytes: device memory.
    """

    clusters: int
    aicpu_threads: int
    memory_bytes: int

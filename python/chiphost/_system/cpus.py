# SPDX-License-Identifier: Apache-2.0
"""The processors of this machine."""

from __future__ import annotations

import os


def usable_cpus() -> int:
    """CPUs that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # no such call on macOS
        return os.cpu_count() or 1

# SPDX-License-Identifier: Apache-2.0
"""The program `chiphost`, run on scenes of simpler's."""

from __future__ import annotations

import os
import subprocess
import sys

TIMEOUT_S = 300


def chiphost(*words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chiphost", *map(str, words)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def rows(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Name and verdict of each row of `ci`."""
    words = [line.split() for line in done.stdout.splitlines() if line.startswith(("PASS ", "FAIL ", "SKIP "))]
    return {row[1]: row[0] for row in words}

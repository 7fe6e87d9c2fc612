# SPDX-License-Identifier: Apache-2.0
"""The stress program, a short run of it."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
from checkout import ROOT

PROGRAM = ROOT / "tests" / "stress" / "load_run_reset.py"


def test_load_run_reset_holds_no_more_at_the_end() -> None:
    seed = int(np.random.default_rng().integers(10**6))
    options = ["--steps=1500", "--variants=20", "--workers=8", f"--seed={seed}"]
    done = subprocess.run([sys.executable, PROGRAM, *options], capture_output=True, text=True, timeout=300)
    words = done.stdout + done.stderr
    assert done.returncode == 0, words
    did = re.search(r"(.*); .* steps/s .* every result was right", done.stdout)
    assert did, words
    counts = {what: int(count.replace(",", "")) for count, what in re.findall(r"(\d[\d,]*) (\w+)", did[1])}
    assert counts["steps"] == 1500, words
    for what, least in {"copy": 300, "process": 300, "rebuilt": 15, "forks": 3, "interrupts": 3, "signals": 1}.items():
        assert counts[what] >= least, words

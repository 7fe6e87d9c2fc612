# SPDX-License-Identifier: Apache-2.0
"""CHIPHOST_RUNTIME_PATH=build/lib python run.py build: run the precompiled callable on the runtime."""

import sys
from pathlib import Path

import numpy as np

# [python]
import chiphost as ch


def smooth(folder: Path, values: np.ndarray, rounds: int) -> int:
    """Run what CMake has built, and return the number of tasks."""
    orchestration = ch.Binary.from_file(folder / "rounds.so")
    kernel = ch.Binary.from_file(folder / "smooth.so")
    smoothing = ch.ChipCallable(orchestration, [(0, "aiv", kernel)], entry="rounds")
    with ch.ChipWorker("repeat", "a2a3sim") as worker:
        return worker.run(smoothing, [values, rounds]).task_count


# [python]

if __name__ == "__main__":
    vector = np.ones(64, np.float32)
    vector[-1] = 3
    print(smooth(Path(sys.argv[1]) / "callables", vector, 5), "tasks,", vector[-2])

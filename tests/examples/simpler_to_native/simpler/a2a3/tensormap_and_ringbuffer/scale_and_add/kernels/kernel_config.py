# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from task_interface import ArgDirection as D

_ROOT = Path(__file__).parent

ORCHESTRATION = {
    "source": str(_ROOT / "orchestration" / "scale_and_add.cpp"),
    "function_name": "aicpu_orchestration_entry",
    "signature": [D.IN, D.IN, D.OUT, D.SCALAR],
}
KERNELS = [
    {
        "func_id": 0,
        "name": "SCALE",
        "source": str(_ROOT / "aiv" / "scale.cpp"),
        "core_type": "aiv",
        "signature": [D.IN, D.OUT, D.SCALAR],
    },
    {
        "func_id": 1,
        "name": "ADD",
        "source": str(_ROOT / "aiv" / "add.cpp"),
        "core_type": "aiv",
        "signature": [D.IN, D.IN, D.OUT],
    },
]
RUNTIME_CONFIG = {
    "runtime": "tensormap_and_ringbuffer",
    "aicpu_thread_num": 4,
    "block_dim": 3,
}

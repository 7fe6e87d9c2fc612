# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

HERE = Path(__file__).parent
ORCHESTRATION = {"source": str(HERE / "orchestration" / "names.cpp"), "function_name": "aicpu_orchestration_entry"}
CORES = HERE.parents[2] / "cores"
KERNELS = [
    {"func_id": 0, "name": "SCALE", "source": str(CORES / "scale.cpp"), "core_type": "aiv"},
    {"func_id": 1, "name": "KEEP", "source": str(CORES / "keep.cpp"), "core_type": "aic"},
]
RUNTIME_CONFIG = {"runtime": "aicpu_build_graph", "block_dim": 3}

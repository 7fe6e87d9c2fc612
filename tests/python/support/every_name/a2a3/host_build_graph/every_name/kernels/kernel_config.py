# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

HERE = Path(__file__).parent
ORCHESTRATION = {"source": str(HERE / "orchestration" / "names.cpp"), "function_name": "build_names_graph"}
SCALE = str(HERE / "cores" / "scale.cpp")
KERNELS = [
    {"func_id": 0, "name": "SCALE_ON_AIV", "source": SCALE, "core_type": "aiv"},
    {"func_id": 1, "name": "SCALE_ON_AIC", "source": SCALE, "core_type": "aic"},
]
RUNTIME_CONFIG = {"runtime": "host_build_graph", "block_dim": 3}

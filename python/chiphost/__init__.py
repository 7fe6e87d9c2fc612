# SPDX-License-Identifier: Apache-2.0
"""Run task graphs on simulated and real AI accelerator chips, with any number of runtimes in one process."""

from ._core import CallConfig, RunResult, __version__
from .callable import ChipCallable
from .compiler import Binary, Kernel, compile
from .errors import (
    ERROR_TABLE,
    ArgumentError,
    CacheError,
    ChiphostError,
    CompileError,
    ConfigError,
    DeadlineError,
    DeviceMemoryError,
    GraphError,
    InternalError,
    IsolationError,
    KernelError,
    LoadError,
    OrchestrationError,
    PlatformError,
    SceneError,
    StallError,
    StateError,
)
from .runtimes import RuntimeFiles
from .scene import Scene
from .signature import Arg, In, InOut, Out, Scalar
from .worker import ChipWorker

__all__ = [
    "ERROR_TABLE",
    "Arg",
    "ArgumentError",
    "Binary",
    "CacheError",
    "CallConfig",
    "ChipCallable",
    "ChipWorker",
    "ChiphostError",
    "CompileError",
    "ConfigError",
    "DeadlineError",
    "DeviceMemoryError",
    "GraphError",
    "In",
    "InOut",
    "InternalError",
    "IsolationError",
    "Kernel",
    "KernelError",
    "LoadError",
    "OrchestrationError",
    "Out",
    "PlatformError",
    "RunResult",
    "RuntimeFiles",
    "Scalar",
    "Scene",
    "SceneError",
    "StallError",
    "StateError",
    "__version__",
    "compile",
]

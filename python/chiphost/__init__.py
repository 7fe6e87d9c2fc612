# SPDX-License-Identifier: Apache-2.0
"""Run task graphs on simulated and real AI accelerator chips, with any number of runtimes in one process."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import isolate
    from ._core import VERSION as __version__
    from ._core import CallConfig
    from ._runtimes.runtimes import RuntimeFiles
    from ._scene.program import Program
    from .binary import Binary
    from .callable import ChipCallable
    from .chip import Chip
    from .compiler import Kernel, compile
    from .errors import (
        ERROR_TABLE,
        ArgumentError,
        CacheError,
        CheckError,
        ChiphostError,
        CompileError,
        ConfigError,
        DeadlineError,
        DeviceMemoryError,
        GraphError,
        InternalError,
        IsolationError,
        KernelError,
        LibraryError,
        LoadError,
        OrchestrationError,
        PlatformError,
        ProcessError,
        SceneError,
        StallError,
        StateError,
    )
    from .run_result import RunResult
    from .scene import Scene
    from .signature import Arg, In, InOut, Out, Scalar
    from .worker import ChipWorker

# The module of each public name. Modules are imported when they are first used: the command line needs few of them.
_PLACES = {
    "_core": ("CallConfig",),
    "binary": ("Binary",),
    "callable": ("ChipCallable",),
    "chip": ("Chip",),
    "compiler": ("Kernel", "compile"),
    "errors": (
        "ERROR_TABLE",
        "ArgumentError",
        "CacheError",
        "CheckError",
        "ChiphostError",
        "CompileError",
        "ConfigError",
        "DeadlineError",
        "DeviceMemoryError",
        "GraphError",
        "InternalError",
        "IsolationError",
        "KernelError",
        "LibraryError",
        "LoadError",
        "OrchestrationError",
        "PlatformError",
        "ProcessError",
        "SceneError",
        "StallError",
        "StateError",
    ),
    "_runtimes.runtimes": ("RuntimeFiles",),
    "_scene.program": ("Program",),
    "run_result": ("RunResult",),
    "scene": ("Scene",),
    "signature": ("Arg", "In", "InOut", "Out", "Scalar"),
    "worker": ("ChipWorker",),
}
_PLACE_OF = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> object:
    if name == "__version__":
        value: object = importlib.import_module("._core", __name__).VERSION
    elif name == "isolate":
        value = importlib.import_module(".isolate", __name__)
    elif name in _PLACE_OF:
        value = getattr(importlib.import_module(f".{_PLACE_OF[name]}", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACE_OF, "isolate"])


__all__ = [
    "ERROR_TABLE",
    "Arg",
    "ArgumentError",
    "Binary",
    "CacheError",
    "CallConfig",
    "CheckError",
    "Chip",
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
    "LibraryError",
    "LoadError",
    "OrchestrationError",
    "Out",
    "PlatformError",
    "ProcessError",
    "Program",
    "RunResult",
    "RuntimeFiles",
    "Scalar",
    "Scene",
    "SceneError",
    "StallError",
    "StateError",
    "__version__",
    "compile",
    "isolate",
]

# SPDX-License-Identifier: Apache-2.0
"""The needs of the conformance suite on a real chip: the chip itself, and programs that are compiled for it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from .._machine import chips
from .._runtimes import runtimes
from ..compiler import Kernel, compile_all, kernel_job, orchestration_job

# The kernels that the suite loads on a real chip. No core could run the rest of its kernels.
_BUILDS: Final = (1, 2)  # of one source, told apart by what they answer


def require(platform: str, library: Path | None) -> None:
    """Open the chip once: without one, every test would fail for the same reason."""
    if names := runtimes.installed(library)[platform]:
        chips.require(runtimes.find(names[0], platform, library), platform)


def compile_programs(platform: str, sources: Path, folder: Path) -> None:
    """Compile the suite's kernels and orchestrations for a real chip, in the way that users' are compiled."""
    kernels, orchestrations = sources / "kernels", sources / "orchestrations"
    jobs = [kernel_job(Kernel(0, kernels / "hand_over.cpp", "aiv"), platform)]
    jobs.append(orchestration_job(orchestrations / "throwing.cpp", "conformance", platform))
    jobs.append(orchestration_job(orchestrations / "graph_on_host.cpp", "host_build_graph", platform))
    jobs.append(orchestration_job(orchestrations / "graph_on_device.cpp", "tensormap_and_ringbuffer", platform))
    jobs.append(kernel_job(Kernel(0, kernels / "graph_cell.cpp", "aiv"), platform))
    for build in _BUILDS:
        name, answer = f"record_{build}", [f"ANSWER={build}"]
        jobs.append(kernel_job(Kernel(build, kernels / "record.cpp", "aiv", name, defines=answer), platform))
        counting = orchestrations / "counting.cpp"
        name = f"counting_{build}"
        jobs.append(orchestration_job(counting, "conformance", platform, name=name, defines=answer))
    for binary in compile_all(jobs):
        (folder / f"{binary.name}.so").write_bytes(binary.data)

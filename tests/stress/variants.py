# SPDX-License-Identifier: Apache-2.0
"""Runtimes that are built again and again, and a graph for each whose result is known."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

import chiphost as ch
from chiphost._runtimes import runtimes

SCENES: Final = Path(__file__).resolve().parents[1] / "scenes"
PLATFORMS: Final = ("a2a3sim", "a5sim")
ELEMENTS: Final = 64
SIM_THREADS_MAX: Final = 2

# The result of the scene vector_example of each runtime, from the sum of its two inputs. Exact for small integers.
FORMULAS: Final[dict[str, Callable[[np.ndarray], np.ndarray]]] = {
    "host_build_graph": lambda total: (total + 1) * (total + 2),
    "aicpu_build_graph": lambda total: (total + 1) * (total + 2),
    "tensormap_and_ringbuffer": lambda total: (total + 1) * (total + 2) + total,
}


@dataclass(frozen=True)
class Variant:
    """A runtime's programs, of which the next build has the same paths."""

    runtime: str
    platform: str
    files: ch.RuntimeFiles
    program: ch.ChipCallable

    def rebuild(self, build: int) -> None:
        """Make it another build: one of the programs is a byte longer, or all are as long and newer."""
        programs = (self.files.host, self.files.aicpu, self.files.aicore)
        if build % 2:
            with programs[build // 2 % 3].open("ab") as file:
                file.write(b"\n")  # no loader looks behind the end
        stamp = 1_700_000_000_000_000_000 + build
        for path in programs:
            os.utime(path, ns=(stamp, stamp))

    def run(self, worker: ch.ChipWorker, rng: np.random.Generator, sim_threads: int = 0) -> None:
        """Run its graph on a worker that has it, and check every element. sim_threads: 0: any."""
        sim_threads = sim_threads or int(rng.integers(1, SIM_THREADS_MAX + 1))
        a, b = rng.integers(0, 100, (2, ELEMENTS)).astype(np.float32)
        found = np.full(ELEMENTS, np.nan, np.float32)
        worker.run(self.program, [a, b, found], sim_threads=sim_threads, seed=int(rng.integers(100)))
        expected = FORMULAS[self.runtime](a + b)
        if not np.array_equal(found, expected):
            raise AssertionError(f"{self.runtime} on {self.platform}: wanted {expected}, found {found}")


def make_variants(folder: Path) -> list[Variant]:
    """All runtimes on both chips, copied into a folder."""
    return [_make_variant(folder, runtime, platform) for runtime in FORMULAS for platform in PLATFORMS]


def _make_variant(folder: Path, runtime: str, platform: str) -> Variant:
    own = folder / platform / runtime
    shutil.copytree(runtimes.library_dir() / platform / runtime, own)
    scene = SCENES / runtime / "vector_example"
    names = ("add", "add_scalar", "multiply")
    program = ch.compile(
        scene / "orchestration.cpp",
        [ch.Kernel(number, scene / "kernels" / f"{name}.cpp", "aiv") for number, name in enumerate(names)],
        runtime=runtime,
        platform=platform,
        entry="build_graph",
        signature=[ch.In("a", "float32", (None,)), ch.In("b", "float32", (None,)), ch.Out("f", "float32", (None,))],
    )
    files = ch.RuntimeFiles(*(own / f"{name}.so" for name in ("host", "aicpu", "aicore")))
    return Variant(runtime, platform, files, program)

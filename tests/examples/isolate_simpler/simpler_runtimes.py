# SPDX-License-Identifier: Apache-2.0
"""simpler_runtimes.py [--rounds N] [--isolation S]: the five runtimes that simpler has built, in one process, in turn.

SIMPLER_DIR is a checkout of simpler with build/lib in it, PTO_ISA_ROOT one of PTO-ISA.
"""

from __future__ import annotations

import argparse
import importlib
import os
import struct
import sys
import time
from collections.abc import Sequence
from ctypes import c_int, c_size_t, c_void_p
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from chiphost import isolate


# [runtime]
class Runtime:
    """A host runtime of simpler's: its four functions, in a namespace of its own."""

    def __init__(self, folder: Path, isolation: str = "namespace") -> None:
        # default_lookup: its AICore program and the kernels, which it loads, look for its functions by name.
        self.library = isolate.open(folder / "libhost_runtime.so", isolation, default_lookup=True, timeout_s=120)
        self.object = self.library.alloc(self.library.function("get_runtime_size", c_size_t)())
        self.programs = [self.keep((folder / f"lib{name}_kernel.so").read_bytes()) for name in ("aicpu", "aicore")]
        binary = [c_void_p, c_size_t]
        arguments = [c_void_p, c_void_p, c_void_p, c_int, c_int, c_int, c_int, *binary, *binary, c_int]
        self._run = self.library.function("run_runtime", c_int, arguments)
        if self.library.function("set_device", c_int, [c_int])(0) != 0:
            raise RuntimeError("set_device failed")

    def keep(self, data: Any) -> isolate.Memory:
        """Bytes in the library's memory, so that it finds them at an address of its own."""
        memory = self.library.alloc(memoryview(data).nbytes)
        memory.write(data)
        return memory

    def run(
        self, callable: isolate.Memory, tensors: Sequence[np.ndarray], block_dim: int, threads: int, orch: int
    ) -> None:
        """Run a callable on float32 arrays; what it writes is in them afterwards."""
        blocks = [self.keep(tensor) for tensor in tensors]
        arguments = self.keep(pack_arguments(tensors, [block.address for block in blocks]))
        binaries = [part for program in self.programs for part in (program, program.bytes)]
        failed = self._run(self.object, callable, arguments, block_dim, threads, orch, 0, *binaries, 0)
        for block, tensor in zip(blocks, tensors, strict=True):
            block.read_into(tensor)
        for block in [*blocks, arguments]:
            block.free()
        if failed:
            raise RuntimeError(f"run_runtime returned {failed}")

    def close(self) -> isolate.CloseResult:
        """Release its device and unload it, as far as that goes."""
        self.library.function("finalize_device", c_int)()
        return self.library.close()


# [runtime]


# [structures]
def pack_arguments(tensors: Sequence[np.ndarray], addresses: Sequence[int]) -> bytes:
    """ChipStorageTaskArgs of simpler: 16 tensors of 40 bytes with the address first, 128 scalars, two counts."""
    packed = b""
    for tensor, address in zip(tensors, addresses, strict=True):
        shape = [*tensor.shape, *[0] * (5 - tensor.ndim)]
        packed += struct.pack("<Q5IIB7x", address, *shape, tensor.ndim, FLOAT32)
    return packed.ljust(16 * 40 + 128 * 8, b"\0") + struct.pack("<ii", len(tensors), 0)


def pack_callable(function: str, orchestration: bytes, kernels: Sequence[tuple[int, bytes]]) -> bytes:
    """ChipCallable of simpler: a header of 400 bytes, the orchestration, and each kernel behind a header of 128."""
    storage = orchestration
    offsets = []
    for _, kernel in kernels:
        storage = storage.ljust(-(-len(storage) // 64) * 64, b"\0")
        offsets.append(len(storage))
        storage += struct.pack("<64xiIQ48x", 0, len(kernel), 0) + kernel
    ids = [number for number, _ in kernels]
    name = function.encode()
    header = struct.pack("<64xiI64sI", 0, len(orchestration), name, len(name))
    header += struct.pack("<32i32Ii", *ids, *[0] * (32 - len(ids)), *offsets, *[0] * (32 - len(ids)), len(ids))
    return header + storage


# [structures]

FLOAT32 = 0


class Scene(NamedTuple):
    """One of simpler's examples: where it is, on what it runs, its parts, and with what."""

    platform: str
    runtime: str
    folder: str  # below examples
    orchestration: str
    function: str
    kernels: tuple[tuple[str, str], ...]  # (source, core type), by func_id
    block_dim: int
    threads: int  # of the AICPU
    orch: int  # how many of them build the graph


VECTOR = tuple((f"aiv/kernel_{name}.cpp", "aiv") for name in ("add", "add_scalar", "mul"))
ENTRY = "aicpu_orchestration_entry"
HBG, ABG, TMR = "host_build_graph", "aicpu_build_graph", "tensormap_and_ringbuffer"
# The a5 has no vector_example: that of the a2a3 is compiled for it.
SCENES = (
    Scene("a2a3sim", HBG, f"a2a3/{HBG}/vector_example", "example_orch.cpp", "build_example_graph", VECTOR, 3, 3, 0),
    Scene("a2a3sim", ABG, f"a2a3/{ABG}/vector_example", "orchestration.cpp", ENTRY, VECTOR, 3, 4, 1),
    Scene("a2a3sim", TMR, f"a2a3/{TMR}/vector_example", "example_orchestration.cpp", ENTRY, VECTOR, 3, 4, 1),
    Scene("a5sim", HBG, f"a2a3/{HBG}/vector_example", "example_orch.cpp", "build_example_graph", VECTOR, 3, 3, 0),
    Scene(
        *("a5sim", TMR, f"a5/{TMR}/bgemm", "bgemm_orch.cpp", ENTRY),
        (("mix/kernel_bgemm.cpp", "aic"), ("mix/kernel_bgemm.cpp", "aiv")),
        *(3, 4, 1),
    ),
)


def compile_scene(simpler: Path, pto_isa: Path, scene: Scene) -> bytes:
    """The callable of a scene, compiled by simpler's own compiler."""
    compiler = importlib.import_module("kernel_compiler").KernelCompiler(platform=scene.platform)
    arch = scene.platform.removesuffix("sim")
    sources = simpler / "examples" / scene.folder / "kernels"
    runtime = simpler / "src" / arch / "runtime" / scene.runtime
    config: dict[str, Any] = {"__file__": str(runtime / "build_config.py")}
    exec((runtime / "build_config.py").read_text(), config)
    folders = [str(runtime / folder) for folder in config["BUILD_CONFIG"]["aicore"]["include_dirs"]]
    folders.append(str(simpler / "src/common/task_interface"))
    kernels = [
        compiler.compile_incore(
            str(sources / source), core_type=core, pto_isa_root=str(pto_isa), extra_include_dirs=folders
        )
        for source, core in scene.kernels
    ]
    orchestration = compiler.compile_orchestration(scene.runtime, str(sources / "orchestration" / scene.orchestration))
    return pack_callable(scene.function, orchestration, list(enumerate(kernels)))


def tensors_of(scene: Scene, seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Arguments of a scene, the last of them written, and what that should be."""
    random = np.random.default_rng(seed)
    if scene.folder.endswith("bgemm"):
        a, b = (random.normal(0, 0.01, (2, 4, 4, 64, 64)).astype(np.float32) for _ in range(2))
        return [a.ravel(), b.ravel(), np.zeros(a.size, np.float32)], np.einsum("bmkij,bknjl->bmnil", a, b).ravel()
    a, b = (random.uniform(1, 2, 128 * 128).astype(np.float32) for _ in range(2))
    golden = (a + b + 1) * (a + b + 2) + (a + b if scene.runtime == TMR else 0)
    return [a, b, np.zeros_like(a)], golden


def missing(simpler: str | None, pto_isa: str | None) -> str:
    """The missing parts of the checkouts; "" if there are none."""
    if not simpler or not (Path(simpler) / "python/kernel_compiler.py").is_file():
        return f"SIMPLER_DIR must name a checkout of simpler; found {simpler!r}"
    if not pto_isa or not (Path(pto_isa) / "include/pto/pto-inst.hpp").is_file():
        return f"PTO_ISA_ROOT must name a checkout of PTO-ISA; found {pto_isa!r}"
    for scene in SCENES:
        file = runtime_folder(Path(simpler), scene) / "libhost_runtime.so"
        if not file.is_file():
            return f"there is no {file}; build simpler's runtimes: python examples/scripts/build_runtimes.py"
    return ""


def runtime_folder(simpler: Path, scene: Scene) -> Path:
    """The folder in which simpler's build_runtimes.py puts the three programs of a runtime."""
    return simpler / "build/lib" / scene.platform.removesuffix("sim") / "sim" / scene.runtime


def main() -> int:
    """Run all in turn; 0 if every result is right."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--isolation", default="namespace", choices=["namespace", "process"])
    options = parser.parse_args()
    names = os.environ.get("SIMPLER_DIR"), os.environ.get("PTO_ISA_ROOT")
    if why := missing(*names):
        print(why, file=sys.stderr)
        return 2
    simpler, pto_isa = (Path(str(name)).resolve() for name in names)
    sys.path[:0] = [str(simpler / "python"), str(simpler / "examples/scripts")]

    opened = []
    for scene in SCENES:
        runtime = Runtime(runtime_folder(simpler, scene), options.isolation)
        opened.append((scene, runtime, runtime.keep(compile_scene(simpler, pto_isa, scene))))
    start = time.monotonic()
    for number in range(options.rounds):
        for scene, runtime, callable in opened:
            tensors, golden = tensors_of(scene, seed=number)
            runtime.run(callable, tensors, scene.block_dim, scene.threads, scene.orch)
            if not np.allclose(tensors[-1], golden, rtol=1e-3, atol=1e-3):
                print(f"round {number}: {scene.platform} {scene.runtime}: wrong result (seed {number})")
                return 1
    print(f"{options.rounds} rounds of {len(opened)} runtimes in {time.monotonic() - start:.1f} s: all right")
    for scene, runtime, _ in opened:
        print(f"{scene.platform} {scene.runtime}: {runtime.close().state}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

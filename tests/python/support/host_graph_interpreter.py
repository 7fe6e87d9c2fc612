# SPDX-License-Identifier: Apache-2.0
"""Runs scenes of host_build_graph with nothing but a compiler and ctypes: an oracle for the real runtime.

One task after another on the caller's thread, in any order that the edges allow; no scheduler, no cores, no isolation.
Mistakes are made visible: device memory starts as NaN, allocations have guards behind them, and a random order finds
edges that are missing. A C++ exception ends the process, so only arguments that an orchestration accepts may be passed.
"""

from __future__ import annotations

import ctypes
import os
import random
import subprocess
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from checkout import ROOT

from chiphost._compiling import host_toolchain
from chiphost.scene import Scene
from chiphost.signature import Arg

INCLUDE_DIR = ROOT / "cpp" / "include"
COMPILE_FLAGS = ["-std=c++17", "-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", f"-I{INCLUDE_DIR}"]

MAX_DIMS = 5
MAX_TASK_ARGS = 160
CORE_TYPES = {"aic": 0, "aiv": 1}
ACCESS = {"in": 1, "out": 2, "inout": 3}
DTYPES = {
    name: number
    for number, name in enumerate(
        (
            *("float32", "float16", "int32", "int16", "int8", "uint8", "bfloat16", "int64", "uint64"),
            *("uint16", "uint32", "bool", "float64", "float8_e4m3fn", "float8_e5m2"),
        )
    )
}
GUARD = b"\xa5" * 64


class AbiHeader(ctypes.Structure):
    _fields_ = (
        ("magic", ctypes.c_uint32),
        ("kind", ctypes.c_uint16),
        ("header_bytes", ctypes.c_uint16),
        ("major", ctypes.c_uint16),
        ("minor", ctypes.c_uint16),
        ("table_bytes", ctypes.c_uint32),
        ("tag", ctypes.c_char_p),
    )


class Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_uint64),
        ("shape", ctypes.c_uint32 * MAX_DIMS),
        ("ndims", ctypes.c_uint32),
        ("dtype", ctypes.c_uint8),
        ("access", ctypes.c_uint8),
        ("reserved", ctypes.c_uint8 * 6),
    )


class TaskArgs(ctypes.Structure):
    _fields_ = (
        ("tensors", ctypes.POINTER(Tensor)),
        ("scalars", ctypes.POINTER(ctypes.c_uint64)),
        ("tensor_count", ctypes.c_uint32),
        ("scalar_count", ctypes.c_uint32),
    )


class KernelContext(ctypes.Structure):
    _fields_ = (
        ("block_idx", ctypes.c_int32),
        ("block_num", ctypes.c_int32),
        ("sub_block_id", ctypes.c_int32),
        ("core", ctypes.c_int32),
    )


# The functions of ch_host_graph_ops in their order; the first argument is the graph and left out here.
OPS: dict[str, tuple[Any, ...]] = {
    "add_task": (ctypes.c_int32, ctypes.POINTER(ctypes.c_uint64), ctypes.c_uint32, ctypes.c_int32, ctypes.c_int32),
    "add_successor": (ctypes.c_int32, ctypes.c_int32, ctypes.c_int32),
    "record_tensor_pair": (ctypes.c_int32, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64),
    "get_task_count": (ctypes.c_int32,),
    "print_runtime": (None,),
    "device_malloc": (ctypes.c_uint64, ctypes.c_uint64),
    "device_free": (ctypes.c_int32, ctypes.c_uint64),
    "copy_to_device": (ctypes.c_int32, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint64),
}
PROTOTYPES = {
    name: ctypes.CFUNCTYPE(result, ctypes.c_void_p, *parameters) for name, (result, *parameters) in OPS.items()
}


class HostGraphOps(ctypes.Structure):
    _fields_ = (("header", AbiHeader), *PROTOTYPES.items())


class HostGraph(ctypes.Structure):
    _fields_ = (("ops", ctypes.POINTER(HostGraphOps)),)


@dataclass
class Task:
    """One task of a graph. `waits_for` counts edges, so an edge given twice counts twice."""

    core_type: int
    func_id: int
    args: list[int]
    successors: list[int] = field(default_factory=list)
    waits_for: int = 0


class Graph:
    """The result of one call of an orchestration: the tasks, the device memory, and the copies back."""

    def __init__(self, host_arrays: Iterable[np.ndarray]) -> None:
        self.tasks: list[Task] = []
        self.pairs: list[tuple[int, int, int]] = []  # host address, device address, bytes
        self.printed = 0
        self._writable = [(array.ctypes.data, array.nbytes) for array in host_arrays]
        self._allocations: dict[int, tuple[int, ctypes.Array[ctypes.c_char]]] = {}  # bytes, storage
        self._error: Exception | None = None

    def build(self, orchestration: Any, args: TaskArgs) -> None:
        functions = {name: prototype(self._guarded(name)) for name, prototype in PROTOTYPES.items()}
        ops = HostGraphOps(**functions)
        ops.header = AbiHeader(0x54534843, 5, ctypes.sizeof(AbiHeader), 1, 0, ctypes.sizeof(HostGraphOps), b"*")
        graph = HostGraph(ctypes.pointer(ops))
        code = orchestration(ctypes.byref(graph), ctypes.byref(args))
        if self._error is not None:
            raise self._error
        assert code == 0, f"the orchestration returned {code}"

    def run(self, kernels: Mapping[int, Any], core_types: Mapping[int, int], rng: random.Random | None) -> list[int]:
        """Run all tasks, the oldest ready one first or, with an rng, any. Returns the order."""
        waits_for = [task.waits_for for task in self.tasks]
        ready = [index for index, count in enumerate(waits_for) if count == 0]
        order = []
        while ready:
            index = ready.pop(rng.randrange(len(ready)) if rng else 0)
            task = self.tasks[index]
            assert core_types[task.func_id] == task.core_type, f"task {index} is on the wrong type of core"
            context = KernelContext(0, 1, 0, index)
            words = (ctypes.c_uint64 * (1 + len(task.args)))(ctypes.addressof(context), *task.args)
            kernels[task.func_id](ctypes.byref(words, ctypes.sizeof(ctypes.c_uint64)))
            order.append(index)
            for successor in task.successors:
                waits_for[successor] -= 1
                if waits_for[successor] == 0:
                    ready.append(successor)
        assert len(order) == len(self.tasks), "the graph has a cycle"
        return order

    def copy_back(self) -> None:
        for host, device, count in self.pairs:
            ctypes.memmove(host, device, count)

    def check_guards(self) -> None:
        for address, (count, _) in self._allocations.items():
            assert ctypes.string_at(address + count, len(GUARD)) == GUARD, f"a kernel wrote beyond its {count} bytes"

    def _guarded(self, name: str) -> Callable[..., Any]:
        """An exception must not pass through C++: keep the first one and answer with failure."""
        method = getattr(self, f"_{name}")
        failure = 0 if name == "device_malloc" else -1

        def call(graph: int, *args: Any) -> Any:
            if self._error is not None:
                return failure
            try:
                return method(*args)
            except Exception as error:
                self._error = error
                return failure

        return call

    def _add_task(self, args: Any, arg_count: int, func_id: int, core_type: int) -> int:
        assert arg_count <= MAX_TASK_ARGS, f"{arg_count} arguments are too many"
        self.tasks.append(Task(core_type, func_id, args[:arg_count]))
        return len(self.tasks) - 1

    def _add_successor(self, before: int, after: int) -> int:
        assert 0 <= before < len(self.tasks) and 0 <= after < len(self.tasks), f"no edge from {before} to {after}"
        self.tasks[before].successors.append(after)
        self.tasks[after].waits_for += 1
        return 0

    def _record_tensor_pair(self, host: int, device: int, count: int) -> int:
        inside = any(first <= host and host + count <= first + size for first, size in self._writable)
        assert inside, "a tensor pair's host range is in no output"
        self._require_allocated(device, count)
        self.pairs.append((host, device, count))
        return 0

    def _get_task_count(self) -> int:
        return len(self.tasks)

    def _print_runtime(self) -> None:
        self.printed += 1

    def _device_malloc(self, count: int) -> int:
        storage = ctypes.create_string_buffer(63 + count + len(GUARD))
        address = (ctypes.addressof(storage) + 63) & ~63
        ctypes.memset(address, 0xFF, count)  # NaN in every floating-point format
        ctypes.memmove(address + count, GUARD, len(GUARD))
        self._allocations[address] = (count, storage)
        return address

    def _device_free(self, device: int) -> int:
        del self._allocations[device]
        return 0

    def _copy_to_device(self, device: int, host: int, count: int) -> int:
        self._require_allocated(device, count)
        ctypes.memmove(device, host, count)
        return 0

    def _require_allocated(self, device: int, count: int) -> None:
        ranges = ((first, first + size) for first, (size, _) in self._allocations.items())
        inside = any(first <= device and device + count <= end for first, end in ranges)
        assert inside, f"{count} bytes at device address {device:#x} are in no allocation"


class HostGraphInterpreter:
    """A scene's orchestration and kernels, compiled and loaded."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        """Compile into `folder`, an existing one."""
        self.scene = scene
        [program] = scene.programs
        sources = [program.orchestration, *(kernel.source for kernel in program.kernels)]
        outputs = [folder / f"{index}_{Path(source).stem}.so" for index, source in enumerate(sources)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(compile_library, sources, outputs))
        libraries = [ctypes.CDLL(str(output)) for output in outputs]
        self._orchestration = libraries[0][program.entry]
        self._orchestration.restype = ctypes.c_int32
        self._kernels = {}
        for kernel, library in zip(program.kernels, libraries[1:], strict=True):
            library.kernel_entry.restype = None
            self._kernels[kernel.func_id] = library.kernel_entry
        self._core_types = {kernel.func_id: CORE_TYPES[kernel.core_type] for kernel in program.kernels}

    def run(self, args: Mapping[str, Any], rng: random.Random | None = None) -> Graph:
        """Run the scene on `args`, writing outputs in place; `rng` picks the order of tasks."""
        signature = self.scene.signature
        arrays = [arg for arg in signature if arg.kind != "scalar"]
        scalars = [arg for arg in signature if arg.kind == "scalar"]
        tensors = (Tensor * len(arrays))(*(make_tensor(arg, args[arg.name]) for arg in arrays))
        words = (ctypes.c_uint64 * len(scalars))(*(scalar_word(arg, args[arg.name]) for arg in scalars))
        graph = Graph(args[arg.name] for arg in arrays if arg.kind != "in")
        graph.build(self._orchestration, TaskArgs(tensors, words, len(arrays), len(scalars)))
        graph.run(self._kernels, self._core_types, rng)
        graph.check_guards()
        graph.copy_back()
        return graph


def compile_library(source: str | Path, output: Path) -> None:
    command = [*host_toolchain.find_compiler().command, *COMPILE_FLAGS, str(source), "-o", str(output)]
    subprocess.run(command, check=True)


def make_tensor(arg: Arg, array: np.ndarray) -> Tensor:
    shape = (ctypes.c_uint32 * MAX_DIMS)(*array.shape)
    return Tensor(array.ctypes.data, shape, array.ndim, DTYPES[array.dtype.name], ACCESS[arg.kind])


def scalar_word(arg: Arg, value: Any) -> int:
    """The 64-bit word of a scalar: integers in two's complement, floats by their bits."""
    dtype = np.dtype(arg.dtype)
    if dtype.kind in "biu":
        return int(value) & 0xFFFF_FFFF_FFFF_FFFF
    return int.from_bytes(np.asarray(value, dtype).tobytes(), "little")

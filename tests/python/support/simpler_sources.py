# SPDX-License-Identifier: Apache-2.0
"""Small sources in the form of simpler's, compiled as its scenes are, and run on arrays of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import chiphost as ch
from chiphost._simpler.scene import SimplerScene
from chiphost.scenes.catalog import Entry
from chiphost.scenes.programs import compile_scenes

PLATFORM = "a2a3sim"
ABG, HBG, TMR = "aicpu_build_graph", "host_build_graph", "tensormap_and_ringbuffer"

_HEADER = {
    ABG: ("pto_orchestration_api.h", "void aicpu_orchestration_entry(PTO2Runtime* rt, @ARGS, int num, int index)"),
    HBG: ("orchestration_api.h", "int aicpu_orchestration_entry(OrchestrationRuntime* rt, @ARGS)"),
    TMR: ("pto_orchestration_api.h", "void aicpu_orchestration_entry(@ARGS, int num, int index)"),
}

# A kernel for each of the numbers below. They read and write 32-bit words, but for `show`.
COPY, SUM, SHOW, PLACE, NOTHING = range(5)
_OF_TENSORS = """
#include <cstdint>
#include "tensor.h"
template <typename T> static T* start(int64_t arg) {
    const Tensor* tensor = reinterpret_cast<const Tensor*>(arg);
    return reinterpret_cast<T*>(tensor->buffer.addr) + tensor->start_offset;
}
static uint32_t length(int64_t arg) { return reinterpret_cast<const Tensor*>(arg)->shapes[0]; }
extern "C" void kernel_entry(int64_t* args) {
"""
_KERNELS = {
    COPY: "for (uint32_t i = 0; i < length(args[0]); ++i) start<int32_t>(args[1])[i] = start<int32_t>(args[0])[i]; }",
    SUM: "int32_t sum = 0; for (uint32_t i = 0; i < length(args[0]); ++i) sum += start<int32_t>(args[0])[i];"
    " *start<int32_t>(args[1]) = sum; }",
    SHOW: "for (uint32_t i = 0; i < length(args[0]); ++i) start<int64_t>(args[0])[i] = args[1 + i]; }",
    PLACE: "start<int64_t>(args[1])[0] = static_cast<int64_t>(reinterpret_cast<Tensor*>(args[0])->buffer.addr);"
    " start<int64_t>(args[1])[1] = static_cast<int64_t>(reinterpret_cast<Tensor*>(args[0])->start_offset); }",
    NOTHING: "(void)args; }",
}
# The arguments for host_build_graph: addresses, then the number of words.
_COPY_OF_ADDRESSES = """
#include <cstdint>
extern "C" void kernel_entry(int64_t* args) {
    for (int64_t i = 0; i < args[2]; ++i)
        reinterpret_cast<int32_t*>(args[1])[i] = reinterpret_cast<const int32_t*>(args[0])[i];
}
"""
_GOLDEN = """
__outputs__ = ["y"]
def generate_inputs(params): return []
def compute_golden(tensors, params): pass
"""


def compiled(folder: Path, runtime: str, body: str, before: str = "") -> ch.ChipCallable:
    """An orchestration with this body, and something before it, beside the kernels above.

    It sees `orch_args`, and `rt` where its runtime passes that. The folder must not be there. PTO_ISA_ROOT must be set.
    """
    header, function = _HEADER[runtime]
    kernels = {COPY: _COPY_OF_ADDRESSES} if runtime == HBG else {n: _OF_TENSORS + text for n, text in _KERNELS.items()}
    files = {"golden.py": _GOLDEN, "kernels/kernel_config.py": _config(runtime, kernels)}
    files |= {f"kernels/aiv/kernel{number}.cpp": text for number, text in kernels.items()}
    function = function.replace("@ARGS", "const ChipStorageTaskArgs& orch_args")
    files["kernels/orchestration/orch.cpp"] = (
        f'#include <stdint.h>\n#include "{header}"\n{before}\nextern "C" {function} {{\n{body}\n}}\n'
    )
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return callable_of(SimplerScene.load(folder))


def callable_of(scene: SimplerScene, platform: str = PLATFORM) -> ch.ChipCallable:
    """The program of a scene, compiled."""
    [outcome] = compile_scenes([Entry(scene.name, scene.folder, scene, None)], platform).values()
    if isinstance(outcome, Exception):
        raise outcome
    [program] = outcome
    return program


def _config(runtime: str, kernels: Mapping[int, str]) -> str:
    source = "str(Path(__file__).parent / {})"
    rows = [
        f"{{'func_id': {number}, 'source': {source.format(repr(f'aiv/kernel{number}.cpp'))}, 'core_type': 'aiv'}}"
        for number in kernels
    ]
    place = source.format(repr("orchestration/orch.cpp"))
    return (
        "from pathlib import Path\n"
        f"ORCHESTRATION = {{'source': {place}, 'function_name': 'aicpu_orchestration_entry'}}\n"
        f"KERNELS = [{', '.join(rows)}]\nRUNTIME_CONFIG = {{'runtime': {runtime!r}}}\n"
    )


_EVENT = np.dtype(
    [("step", "u4"), ("core", "u1"), ("ring", "u1"), ("kind", "u1"), ("by", "u1"), ("value", "u4"), ("task", "u4")]
)
_DISPATCH, _CONDITION, _KERNEL = 1, 2, 3
_FINISHED = 0x80000000


def spans(worker: ch.ChipWorker, callable_: ch.ChipCallable, args: Sequence[Any], seed: int) -> list[tuple[int, int]]:
    """The steps of a run at which each task is given to a core and at which it has ended, in the order of submission.

    For graphs whose tasks are all in one ring, and have one block.
    """
    trace = np.frombuffer(worker.run(callable_, args, seed=seed, trace=True).trace, _EVENT)
    result = {}
    for at in np.flatnonzero(trace["kind"] == _KERNEL).tolist():
        mine = trace["core"] == trace["core"][at]
        said = np.flatnonzero(mine & (trace["kind"] == _CONDITION))
        token = int(trace["value"][said[said < at][-1]])  # the core has just acknowledged it
        [given] = np.flatnonzero(mine & (trace["kind"] == _DISPATCH) & (trace["value"] == token))
        [ended] = np.flatnonzero(mine & (trace["kind"] == _CONDITION) & (trace["value"] == token | _FINISHED))
        result[int(trace["task"][at])] = (int(trace["step"][given]), int(trace["step"][ended]))
    return [result[task] for task in sorted(result)]

# SPDX-License-Identifier: Apache-2.0
"""Small scenes in the form of simpler's, written for tests: a folder of them, and a stand-in for PTO-ISA.

The scenes in every_name use the names that these leave out.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from checkout import SUPPORT

# A kernel of the form that all three runtimes have: x and y by tensor or address, then two scalars.
SCALE_OF_TENSORS = """
#include <cstdint>
#include <pto/pto-inst.hpp>
#include "tensor.h"
#include "intrinsic.h"
extern "C" __aicore__ __attribute__((always_inline)) void kernel_entry(__gm__ int64_t* args) {
    __gm__ Tensor* x = reinterpret_cast<__gm__ Tensor*>(args[0]);
    __gm__ Tensor* y = reinterpret_cast<__gm__ Tensor*>(args[1]);
    const float factor = from_u64<float>(static_cast<uint64_t>(args[2]));
    const int64_t bits_of_minus_one = args[3];
    __gm__ float* in = reinterpret_cast<__gm__ float*>(x->buffer.addr) + x->start_offset;
    __gm__ float* out = reinterpret_cast<__gm__ float*>(y->buffer.addr) + y->start_offset;
    const bool as_promised = bits_of_minus_one == 0xffffffff && PTO_STAND_IN == 1;
    const uint32_t blocks = static_cast<uint32_t>(get_block_num(args));
    for (uint32_t i = static_cast<uint32_t>(get_block_idx(args)); i < x->shapes[0]; i += blocks) {
        out[i] = as_promised && get_sub_block_id(args) <= 1 ? in[i] * factor : -1;
    }
}
"""

SCALE_OF_ADDRESSES = """
#include <cstdint>
#include <pto/pto-inst.hpp>
extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    __gm__ float* in = reinterpret_cast<__gm__ float*>(args[0]);
    __gm__ float* out = reinterpret_cast<__gm__ float*>(args[1]);
    float factor;
    __builtin_memcpy(&factor, &args[2], sizeof factor);
    for (int64_t i = 0; i < args[3]; ++i) out[i] = in[i] * factor;
}
"""

HOST = """
#include <cstring>
#include <iostream>
#include "orchestration_api.h"
extern "C" int build_scale_graph(OrchestrationRuntime* runtime, const ChipStorageTaskArgs& args) {
    if (args.tensor_count() != 2 || args.scalar_count() != 1) return 1;
    const ContinuousTensor x = args.tensor(0), y = args.tensor(1);
    if (x.dtype != DataType::FLOAT32 || get_element_size(x.dtype) != 4 || x.ndims != 2) return 2;
    if (x.nbytes() != y.nbytes() || args.scalars()[0] != args.scalar(0)) return 3;
    void* spare = device_malloc(runtime, 64);
    void* in = device_malloc(runtime, x.nbytes());
    void* middle = device_malloc(runtime, x.nbytes());
    void* out = device_malloc(runtime, x.nbytes());
    device_free(runtime, spare);
    if (copy_to_device(runtime, in, x.data_as<float>(), x.nbytes()) != 0) return 4;
    record_tensor_pair(runtime, y.data_as<void>(), out, y.nbytes());
    const uint64_t elements = x.nbytes() / sizeof(float);
    uint64_t first[] = {reinterpret_cast<uint64_t>(in), reinterpret_cast<uint64_t>(middle), args.scalar(0), elements};
    uint64_t second[] = {reinterpret_cast<uint64_t>(middle), reinterpret_cast<uint64_t>(out), to_u64(2.0f), elements};
    const int one = add_task(runtime, first, 4, 0, CoreType::AIV);
    const int two = add_task(runtime, second, 4, 0, CoreType::AIV);
    add_successor(runtime, one, two);
    std::cout << "tasks: " << get_task_count(runtime) << std::endl;
    print_runtime(runtime);
    return get_task_count(runtime) == 2 ? 0 : 5;
}
"""

# The parts that both runtimes on the AICPU have; RT is `rt, ` or nothing.
DEVICE = """
#include <stdint.h>
#include "pto_orchestration_api.h"
extern "C" {
__attribute__((visibility("default"))) PTO2OrchestrationConfig
aicpu_orchestration_config(const ChipStorageTaskArgs& args) {
    (void)args;
    return PTO2OrchestrationConfig{.expected_arg_count = 3};
}
__attribute__((visibility("default"))) void aicpu_orchestration_entry(
    @PARAMETER const ChipStorageTaskArgs& orch_args, int orch_thread_num, int orch_thread_index) {
    if (orch_thread_num != 1 || orch_thread_index != 0) return;
    const ContinuousTensor& argument = orch_args.tensor(0);
    const uint32_t elements[1] = {argument.shapes[0] * argument.shapes[1]};
    // One memory in another shape, and as it is.
    Tensor x = make_tensor_external(argument.data_as<void>(), elements, 1);
    Tensor y = from_tensor_arg(orch_args.tensor(1));
    y = y.reshape(elements, 1);
    if (!y.is_contiguous() || y.numel() != elements[0]) return;
    LOG_ERROR(@RT "%s", x.dump().c_str());
    LOG_WARN(@RT "%u elements", elements[0]);
    LOG_INFO(@RT "%d tensors", orch_args.tensor_count());
    LOG_DEBUG(@RT "%d scalars", orch_args.scalar_count());
    LOG_ALWAYS(@RT "always");
    const uint32_t half[1] = {elements[0] / 2}, nowhere[1] = {0}, middle[1] = {elements[0] / 2};
    const int32_t minus_one[1] = {-1};
    PTO2_SCOPE(@SCOPE) {
        for (const uint32_t* offset : {nowhere, middle}) {
            Tensor in = x.view(half, offset), out = y.view(half, offset);
            TensorCreateInfo made(half, 1, DataType::FLOAT32);
            Arg first;
            first.add_input(in);
            first.add_output(made);
            first.add_scalar(orch_args.scalar(0));
            first.add_scalars_i32(minus_one, 1);
            first.launch_spec.@BLOCKS(3);
            @FIRST
            Arg second;
            second.reset();
            second.add_input(@MADE);
            second.@OUTPUT(out);
            second.add_scalar(to_u64(2.0f));
            second.copy_scalars_from(first, 1, 1);
            @SECOND
        }
    }
    @AFTER
}
}
"""

PARTS = {
    "tensormap_and_ringbuffer": {
        "@PARAMETER": "",
        "@RT ": "",
        "@SCOPE": "",
        "@BLOCKS": "set_block_num",
        "@FIRST": "TaskOutputTensors outputs = pto2_rt_submit_aiv_task(0, first);\n"
        "            if (outputs.empty() || outputs.size() != 1) return;",
        "@MADE": "outputs.get_ref(0)",
        "@OUTPUT": "add_output",
        "@SECOND": "MixedKernels kernels;\n            kernels.aiv1_kernel_id = 0;\n"
        "            pto2_rt_submit_task(kernels, second);",
        "@AFTER": """
    const uint32_t last[1] = {elements[0] - 1};
    const float value = get_tensor_data<float>(y, 1, last);
    PTO2_SCOPE_GUARD();
    set_tensor_data(y, 1, last, value + 1);
    // In a tensor of its own, by all the other ways.
    TensorCreateInfo spare(elements, 1, DataType::FLOAT32, true);
    spare.set_initial_value(1.0f);
    Arg rest;
    rest.add_output(spare);
    rest.add_inout(y);
    rest.add_no_dep(x);
    const uint64_t words[2] = {orch_args.scalar(0), 0xffffffff};
    rest.add_scalars(words, 2);
    if (pto2_rt_is_fatal() || rest.tensor_count() != 3 || rest.scalar_count() != 2) return;
    pto2_rt_scope_begin();
    pto2_rt_scope_end();
    pto2_rt_orchestration_done();""",
    },
    "aicpu_build_graph": {
        "@PARAMETER": "PTO2Runtime* rt,",
        "@RT ": "rt, ",
        "@SCOPE": "rt",
        "@BLOCKS": "set_core_num",
        "@FIRST": "SubmitResult one = pto2_rt_submit_aiv_task(rt, 0, first);",
        "@MADE": "one.outputs.get_ref(0)",
        "@OUTPUT": "add_inout",
        "@SECOND": "MixedKernels kernels;\n            kernels.aiv0_kernel_id = 0;\n"
        "            SubmitResult two = pto2_rt_submit_task(rt, kernels, second);\n"
        "            pto2_rt_add_dependency(rt, one.task_id, two.task_id);\n"
        "            if (!two.task_id.is_valid() || two.task_id == PTO2TaskId::invalid()) return;",
        "@AFTER": """
    PTO2_SCOPE_GUARD(rt);
    if (pto2_rt_is_fatal(rt)) return;
    pto2_rt_scope_begin(rt);
    pto2_rt_scope_end(rt);
    pto2_rt_orchestration_done(rt);""",
    },
}

GOLDEN = '''"""y = 2 * factor * x."""

import ctypes

import numpy as np
from factors import FACTOR

__outputs__ = ["y"]
RTOL = 1e-6
ATOL = 1e-6
ALL_CASES = {"small": {"rows": 2}, "large": {"rows": 64}}
DEFAULT_CASE = "small"


def generate_inputs(params):
    assert params["name"] in ALL_CASES
    x = np.arange(params["rows"] * 8, dtype=np.float32).reshape(params["rows"], 8)
    return [("x", x), ("y", np.zeros_like(x)), ("factor", ctypes.c_float(FACTOR))]


def compute_golden(tensors, params):
    tensors["y"][:] = 2 * tensors["factor"] * tensors["x"]
    if LAST_IS_ONE_MORE:
        tensors["y"][-1, -1] += 1


LAST_IS_ONE_MORE = @LAST
'''

CONFIG = """from pathlib import Path

from task_interface import ArgDirection as D

HERE = Path(__file__).parent
ORCHESTRATION = {
    "source": str(HERE / "orchestration" / "orch.cpp"),
    "function_name": "@FUNCTION",
    "signature": [D.IN, D.IN, D.SCALAR],  # wrong: the second one is written
}
KERNELS = [{"func_id": 0, "name": "SCALE", "source": str(HERE / "aiv" / "scale.cpp"), "core_type": "aiv",
            "signature": [D.IN, D.OUT, D.SCALAR, D.SCALAR]}]
RUNTIME_CONFIG = {"runtime": "@RUNTIME", "aicpu_thread_num": 4, "block_dim": 3, "rounds": 2}
RUNTIME_ENV = {"PTO2_RING_TASK_WINDOW": "16", "PTO2_RING_HEAP": "65536", "PTO2_RING_DEP_POOL": "64"}
"""

RUNTIMES = ("host_build_graph", "aicpu_build_graph", "tensormap_and_ringbuffer")


def pto_isa(folder: Path) -> Path:
    """A stand-in for a checkout of PTO-ISA, in a folder of its own that a test may change."""
    return shutil.copytree(SUPPORT / "pto_stand_in", folder, dirs_exist_ok=True)


def write(root: Path, runtime: str, name: str = "scale", arch: str = "a2a3", **changes: str) -> Path:
    """A scene in <root>/examples/<arch>/<runtime>/<name>; `changes` are texts of its files by their stems."""
    on_host = runtime == "host_build_graph"
    folder = root / "examples" / arch / runtime / name
    function = "build_scale_graph" if on_host else "aicpu_orchestration_entry"
    last = str(runtime == "tensormap_and_ringbuffer")
    files = {
        "golden.py": changes.get("golden", GOLDEN.replace("@LAST", last)),
        "kernels/kernel_config.py": changes.get(
            "config", CONFIG.replace("@FUNCTION", function).replace("@RUNTIME", runtime)
        ),
        "kernels/aiv/scale.cpp": changes.get("kernel", SCALE_OF_ADDRESSES if on_host else SCALE_OF_TENSORS),
        "kernels/orchestration/orch.cpp": changes.get("orchestration", HOST if on_host else device(PARTS[runtime])),
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    shared = root / "golden" / "factors.py"
    shared.parent.mkdir(exist_ok=True)
    shared.write_text("FACTOR = 1.5\n")
    return folder


def device(parts: Mapping[str, str]) -> str:
    """The orchestration of a runtime on the AICPU."""
    text = DEVICE
    for place, part in parts.items():
        text = text.replace(place, part)
    return text

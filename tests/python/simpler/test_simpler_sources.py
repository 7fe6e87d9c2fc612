# SPDX-License-Identifier: Apache-2.0
"""Sources in simpler's form that cannot be compiled here or mean something else: said before a compile."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest
import simpler_scenes
from simpler_runs import TIMEOUT_S, chiphost
from simpler_scenes import CONFIG, GOLDEN, SCALE_OF_TENSORS

pytestmark = pytest.mark.timeout(TIMEOUT_S + 60)
# The second kernel has an #error that nobody must see: the first is refused before anything is compiled.
CONFIG_OF_TWO = CONFIG.replace(
    "RUNTIME_CONFIG",
    "KERNELS.append({'func_id': 1, 'source': str(HERE / 'other.cpp'), 'core_type': 'aiv'})\nRUNTIME_CONFIG",
).replace("@FUNCTION", "")
COUNTER = """
inline uint64_t now() {
    uint64_t ticks;
    asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
}
"""


@pytest.fixture
def broken_otherwise(root: Path) -> Path:
    folder = simpler_scenes.write(
        root, "tensormap_and_ringbuffer", config=CONFIG_OF_TWO.replace("@RUNTIME", "tensormap_and_ringbuffer")
    )
    (folder / "kernels" / "other.cpp").write_text("#error is compiled\n")
    return folder


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="an aarch64 host has these instructions")
def test_assembler_of_aarch64_is_refused_where_it_cannot_be(broken_otherwise: Path) -> None:
    file = broken_otherwise / "kernels" / "orchestration" / "orch.cpp"
    text = file.read_text().replace('extern "C" {', COUNTER + 'extern "C" {')
    macro = "#ifdef TIMES\n#define COUNT() now()\n#else\n#define COUNT() 0\n#endif\n"
    for used in ("#define TIMES\n", ""):
        file.write_text(
            used + macro + text.replace("Tensor y =", "const uint64_t start = COUNT(); (void)start; Tensor y =")
        )
        done = chiphost("run", broken_otherwise, "-p", "a2a3sim")
        assert done.returncode == 1
        said = " ".join(done.stdout.split())
        assert ("#error" in said) == (not used), "a function that nobody calls costs nothing"
        instruction = f"{file}:{13 if used else 12}: `mrs %0, cntvct_el0` is an instruction of aarch64, and this is for"
        assert (instruction in said) == bool(used), said
        assert ("Nothing of the scene has been compiled" in said) == bool(used)


def test_a_type_that_exists_nowhere_is_refused(broken_otherwise: Path) -> None:
    file = broken_otherwise / "kernels" / "aiv" / "scale.cpp"
    file.write_text(SCALE_OF_TENSORS.replace("Tensor*", "TensorBlock*"))
    done = chiphost("run", broken_otherwise, "-p", "a2a3sim")
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert f"{file}:7: TensorBlock is used as a type, and neither the file nor what it includes says what" in said
    assert "#error" not in said
    (file.parent / "block.h").write_text("using TensorBlock = Tensor;\n")
    file.write_text(file.read_text().replace('#include "intrinsic.h"', '#include "intrinsic.h"\n#include "block.h"'))
    (broken_otherwise / "kernels" / "other.cpp").write_text(SCALE_OF_TENSORS)
    done = chiphost("run", broken_otherwise, "-p", "a2a3sim")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_chips_other_16_bit_float_is_not_taken_for_bfloat16(root: Path) -> None:
    """The headers of PTO-ISA do so where the compiler has none, and cannot multiply matrices of it."""
    header = Path(os.environ["PTO_ISA_ROOT"]) / "include" / "pto" / "common" / "type.hpp"
    header.parent.mkdir(exist_ok=True)
    header.write_text("#pragma once\ntypedef _Float16 half;\ntypedef _Float16 bfloat16_t;\n")
    (header.parents[1] / "pto-inst.hpp").write_text(BFLOAT16_HEADER)
    golden = GOLDEN.replace("@LAST", "False").replace("import numpy", "import ml_dtypes\nimport numpy")
    golden = golden.replace("np.float32", "ml_dtypes.bfloat16").replace("RTOL = 1e-6", "RTOL = 1e-2")
    folder = simpler_scenes.write(root, "host_build_graph", golden=golden, kernel=BFLOAT16_KERNEL)
    orchestration = folder / "kernels" / "orchestration" / "orch.cpp"
    text = orchestration.read_text().replace("x.dtype != DataType::FLOAT32 ", "x.dtype != DataType::BFLOAT16 ")
    text = text.replace("get_element_size(x.dtype) != 4", "get_element_size(x.dtype) != 2")
    orchestration.write_text(text.replace("x.nbytes() / sizeof(float)", "x.nbytes() / 2"))
    done = chiphost("run", folder, "-p", "a2a3sim", "--all-cases")
    assert done.returncode == 0, done.stdout + done.stderr


BFLOAT16_HEADER = """
#pragma once
#include <cstdint>
#include <limits>
#include <type_traits>
#include <pto/common/type.hpp>
#define __gm__
#define __aicore__
namespace pto {
template <typename T, int Height, int Width>
struct Matrix {
    using DType = T;
    static constexpr int Rows = Height, Cols = Width;
};
template <typename Result, typename Left, typename Right>
void CheckMadValid() {
    static_assert(std::is_same_v<typename Left::DType, half>, "Not supported data type");
}
template <typename Result, typename Left, typename Right>
void multiply(Result&, Left&, Right&) {
    CheckMadValid<Result, Left, Right>();
}
}
"""
BFLOAT16_KERNEL = """
#include <cstdint>
#include <cmath>
#include <pto/pto-inst.hpp>
using limits = std::numeric_limits<bfloat16_t>;
static_assert(sizeof(bfloat16_t) == 2 && limits::is_specialized && limits::has_infinity);
static_assert(bfloat16_t(1.00390625f) == 1 && bfloat16_t(1.01171875f) == 1.015625f, "ties go to even");
static_assert(limits::max() > 3e38f && limits::lowest() < -3e38f && limits::epsilon() == 0.0078125f);
static_assert(bfloat16_t(3.4e38f) == limits::infinity() && limits::quiet_NaN() != limits::quiet_NaN());
extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    pto::Matrix<float, 16, 16> result;
    pto::Matrix<bfloat16_t, 16, 16> left, right;
    pto::multiply(result, left, right);
    __gm__ bfloat16_t* in = reinterpret_cast<__gm__ bfloat16_t*>(args[0]);
    __gm__ bfloat16_t* out = reinterpret_cast<__gm__ bfloat16_t*>(args[1]);
    float factor;
    __builtin_memcpy(&factor, &args[2], sizeof factor);
    for (int64_t i = 0; i < args[3]; ++i) {
        bfloat16_t sum = 0;
        sum += in[i];
        sum *= factor;
        sum -= 1.0;
        sum /= static_cast<bfloat16_t>(1);
        out[i] = std::exp(bfloat16_t(0)) + sum;
    }
}
"""

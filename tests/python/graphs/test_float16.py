# SPDX-License-Identifier: Apache-2.0
"""The numbers that kernels compute with: chiphost/float16.h bit for bit against NumPy and ml_dtypes, and
chiphost/math.h.

float16 is another type with other compilers, so every one that is here is tried: g++ and clang++ for this machine, and
g++ for aarch64, whose programs qemu runs.
"""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from callables import FOLDER

import chiphost as ch
from chiphost import toolchain

pytestmark = pytest.mark.timeout(300)

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
HALFS = np.arange(1 << 16, dtype=np.uint16)
Convert = Callable[[str, str, np.ndarray, type], np.ndarray]

COMPILERS = {"g++": [], "clang++": [], "aarch64-linux-gnu-g++": ["qemu-aarch64"]}
STANDARDS = ("c++17", "c++20")


@pytest.fixture(scope="module", params=[(compiler, std) for compiler in COMPILERS for std in STANDARDS], ids="-".join)
def convert(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Convert:
    """The program convert_floats, made by one compiler: convert(type, what, numbers, dtype of the result)."""
    compiler, standard = request.param
    runner = COMPILERS[compiler]
    for needed in (compiler, *runner):
        if not shutil.which(needed):
            pytest.skip(f"{needed} is not installed")
    program = tmp_path_factory.mktemp("convert") / "convert_floats"
    command = [compiler, f"-std={standard}", "-pedantic", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Werror"]
    command += [f"-I{toolchain.include_dir()}", *(["-static"] if runner else []), "-o", str(program)]
    made = subprocess.run([*command, str(FOLDER / "convert_floats.cpp")], capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stderr

    def run(name: str, what: str, numbers: np.ndarray, dtype: type) -> np.ndarray:
        words = [*runner, str(program), name, what]
        done = subprocess.run(words, input=numbers.tobytes(), stdout=subprocess.PIPE, timeout=120, check=True)
        return np.frombuffer(done.stdout, dtype)

    return run


def around(halfs: np.ndarray) -> np.ndarray:
    """Finite numbers of two bytes, the middle between each and the next, and the doubles and floats beside those."""
    wide = np.unique(halfs.astype(np.float64)[np.isfinite(halfs.astype(np.float64))])
    top = wide[-1] + (wide[-1] - wide[-2])  # where infinity begins to be nearer is half-way to this
    wide = np.concatenate([[-top], wide, [top]])
    middle = (wide[1:] + wide[:-1]) / 2
    near = [np.nextafter(middle.astype(np.float32), np.float32(to)).astype(np.float64) for to in (-np.inf, np.inf)]
    beside = [np.nextafter(middle, to) for to in (-np.inf, np.inf)]
    return np.concatenate([wide, middle, *near, *beside])


def doubles(halfs: np.ndarray) -> np.ndarray:
    """Doubles that rounding may get wrong, and doubles of any bits."""
    rng = np.random.default_rng(11)
    anything = rng.integers(0, 1 << 64, 100_000, np.uint64, endpoint=False).view(np.float64)
    scaled = rng.standard_normal(100_000) * 2.0 ** rng.integers(-30, 20, 100_000)
    special = np.array([0.0, -0.0, np.inf, -np.inf, 1e308, -1e308, 5e-324, -5e-324, 2.0**-25, 2.0**-134])
    nans = np.array([0x7FF8, 0xFFF8, 0x7FF4, 0x7FF0_0001, 0xFFFF], np.uint64) << np.array(
        [48, 48, 48, 32, 48], np.uint64
    )
    with np.errstate(all="ignore"):
        return np.concatenate([around(halfs), anything, scaled, special, nans.view(np.float64)])


def floats(halfs: np.ndarray) -> np.ndarray:
    """The numbers of `doubles` as floats, and floats of any bits."""
    anything = np.random.default_rng(12).integers(0, 1 << 32, 500_000, np.uint32).view(np.float32)
    nans = np.array([0x7FC00000, 0xFFC00000, 0x7FA00000, 0x7F800001, 0xFFFFFFFF], np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        return np.concatenate([doubles(halfs).astype(np.float32), anything, nans])


def quiet(values: np.ndarray) -> np.ndarray:
    """Signalling NaNs as quiet ones: NumPy's result for the others depends on the machine."""
    words, bit = {2: (np.uint16, 1 << 9), 4: (np.uint32, 1 << 22), 8: (np.uint64, 1 << 51)}[values.itemsize]
    bits = values.view(words)
    return np.where(np.isnan(values), bits | words(bit), bits).view(values.dtype)


def same_bits(found: np.ndarray, wanted: np.ndarray) -> None:
    bits = wanted.view(found.dtype)
    different = np.flatnonzero(found != bits)
    assert not len(different), [(hex(found[i]), hex(bits[i]), i) for i in different[:5]]


@pytest.mark.parametrize("name", ["native", "software"])
def test_every_float16_is_the_float_that_numpy_makes_of_it(convert: Convert, name: str) -> None:
    same_bits(convert(name, "widen", HALFS, np.uint32), quiet(HALFS.view(np.float16)).astype(np.float32))


@pytest.mark.parametrize("name", ["native", "software"])
@pytest.mark.parametrize(("what", "numbers"), [("float", floats), ("double", doubles)])
def test_numbers_become_the_float16_that_numpy_makes_of_them(
    convert: Convert, name: str, what: str, numbers: Callable[[np.ndarray], np.ndarray]
) -> None:
    values = numbers(HALFS.view(np.float16))
    with np.errstate(all="ignore"):
        same_bits(convert(name, what, values, np.uint16), quiet(values).astype(np.float16))


def test_every_bfloat16_is_the_float_that_ml_dtypes_makes_of_it(convert: Convert) -> None:
    same_bits(convert("bfloat16", "widen", HALFS, np.uint32), HALFS.view(BFLOAT16).astype(np.float32))


def test_floats_become_the_bfloat16_that_ml_dtypes_makes_of_them(convert: Convert) -> None:
    values = floats(HALFS.view(BFLOAT16))
    with np.errstate(all="ignore"):
        same_bits(convert("bfloat16", "float", values, np.uint16), values.astype(BFLOAT16))


def test_doubles_become_the_nearest_bfloat16_in_one_rounding(convert: Convert) -> None:
    # ml_dtypes rounds them to a float first. This does not matter for a float that is odd wherever something was cut
    # off.
    values = doubles(HALFS.view(BFLOAT16))
    with np.errstate(all="ignore"):
        cut = values.astype(np.float32)
        too_far = np.abs(cut.astype(np.float64)) > np.abs(values)
        bits = cut.view(np.uint32) - too_far.astype(np.uint32)
        inexact = (bits.view(np.float32).astype(np.float64) != values) & np.isfinite(values)
        odd = (bits | inexact.astype(np.uint32)).view(np.float32)
        same_bits(convert("bfloat16", "double", values, np.uint16), odd.astype(BFLOAT16))


KERNEL = """
#include <chiphost/float16.h>
#include <chiphost/kernel.h>
#include <chiphost/math.h>
extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    using namespace chiphost;
    const float x = pointer_arg<float>(args, 0)[0];
    float* out = pointer_arg<float>(args, 1);
    float16 half = static_cast<float16>(x);
    half += 1;
    bfloat16 brain = x;
    brain *= 3;
    const float values[] = {exp(x), exp2(x), expm1(x), log(x), log2(x), log1p(x), pow(x, 3), sqrt(x), sin(x), cos(x),
                            tanh(x), erf(x), erfc(x), abs(-x), floor(x), ceil(x), trunc(x), rint(x), fma(x, x, 1),
                            max(x, 1), min(x, 1),
                            isnan(x) ? 1.0f : 0.0f, isinf(infinity()) ? 1.0f : 0.0f, half, brain};
    memcpy(out, values, sizeof values);
}
"""
ORCHESTRATION = """
#include <chiphost/host_build_graph.h>
CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {
    graph.add_task(chiphost::AIV, 0, {graph.copy_in(args.tensor(0)), graph.copy_out(args.tensor(1))});
    return 0;
}
"""


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_a_kernel_computes_what_the_c_library_does(
    compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    monkeypatch.setenv("CXX", compiler)
    (tmp_path / "kernel.cpp").write_text(KERNEL)
    (tmp_path / "orchestration.cpp").write_text(ORCHESTRATION)
    kernel = ch.Kernel(0, tmp_path / "kernel.cpp", "aiv", flags=("-Wall", "-Wextra", "-Werror"))
    program = ch.compile(tmp_path / "orchestration.cpp", [kernel])
    x = 0.625
    wanted = [math.exp(x), 2**x, math.expm1(x), math.log(x), math.log2(x), math.log1p(x), x**3, math.sqrt(x)]
    wanted += [math.sin(x), math.cos(x), math.tanh(x), math.erf(x), math.erfc(x), x, 0, 1, 0, 1, x * x + 1, 1, x, 0, 1]
    wanted += [1.625, 1.875]
    found = np.zeros(len(wanted), np.float32)
    with ch.ChipWorker("host_build_graph", "a2a3sim") as worker:
        worker.run(program, [np.float32([x]), found])
    np.testing.assert_allclose(found, wanted, rtol=3e-7)

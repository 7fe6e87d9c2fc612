# SPDX-License-Identifier: Apache-2.0
"""The example that runs simpler's own runtimes: with stand-ins always, with the real ones where they are given.

The real ones: SIMPLER_DIR, a checkout of simpler with its runtimes built, and PTO_ISA_ROOT, one of PTO-ISA.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import c_libraries
import numpy as np
import pytest
from checkout import ROOT, SUPPORT

from chiphost import isolate

EXAMPLE = ROOT / "tests" / "examples" / "isolate_simpler" / "simpler_runtimes.py"

# A stand-in for a host runtime: it loads its AICore program, which looks for the runtime's function by name.
HOST = r"""
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
struct Tensor { float* data; uint32_t shape[5]; uint32_t ndims; uint8_t dtype; };
struct Arguments { Tensor tensors[16]; uint64_t scalars[128]; int32_t tensor_count, scalar_count; };
struct Kernel {
    int32_t signature[16]; int32_t count; uint32_t bytes; uint64_t address; char padding[48]; char data[];
};
struct Callable {
    int32_t signature[16]; int32_t count; uint32_t bytes; char name[64]; uint32_t name_bytes;
    int32_t ids[32]; uint32_t offsets[32]; int32_t kernels; char storage[];
};
static int device = -1;
typedef int Run(float*, const float*, const float*, uint64_t);
extern "C" {
float offset() { return 3; }
size_t get_runtime_size() { return 100; }
int set_device(int id) { device = id; return 0; }
int finalize_device() { device = -1; return 0; }
int run_runtime(void* runtime, const Callable* callable, const Arguments* arguments, int block_dim, int threads,
                int orch, int id, const uint8_t* aicpu, size_t aicpu_bytes, const uint8_t* aicore, size_t aicore_bytes,
                int profiling) {
    memset(runtime, 0xff, get_runtime_size());
    if (device != id || block_dim != 3 || threads != 4 || orch != 1 || profiling) return 1;
    if (strcmp(callable->name, "entry") != 0 || callable->name_bytes != 5) return 2;
    if (callable->bytes != 5 || memcmp(callable->storage, "graph", 5) != 0 || callable->kernels != 2) return 3;
    for (int i = 0; i < 2; ++i) {
        const Kernel* kernel = (const Kernel*)(callable->storage + callable->offsets[i]);
        if (callable->ids[i] != 7 + i || kernel->bytes != 3) return 4;
        if (memcmp(kernel->data, i ? "two" : "one", 3) != 0) return 4;
    }
    if (aicpu_bytes != 5 || memcmp(aicpu, "aicpu", 5) != 0) return 5;
    const Tensor* tensors = arguments->tensors;
    if (arguments->tensor_count != 3 || arguments->scalar_count != 0 || tensors[2].dtype != 0) return 6;
    if (tensors[0].ndims != 2 || tensors[0].shape[0] != 2 || tensors[0].shape[1] != 4) return 7;
    char path[] = "/tmp/chiphost-test-XXXXXX";
    const int file = mkstemp(path);
    const bool written = write(file, aicore, aicore_bytes) == (ssize_t)aicore_bytes;
    close(file);
    void* program = written ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    unlink(path);
    Run* run = program ? (Run*)dlsym(program, "run") : NULL;
    return run ? run(tensors[2].data, tensors[0].data, tensors[1].data, 8) : 8;
}
}
"""
AICORE = r"""
#include <dlfcn.h>
#include <stdint.h>
extern "C" int run(float* out, const float* a, const float* b, uint64_t count) {
    float (*offset)() = (float (*)())dlsym(RTLD_DEFAULT, "offset");
    for (uint64_t i = 0; i < count; ++i) out[i] = a[i] * b[i] + (offset ? offset() : 0);
    return 0;
}
"""


def load_example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("simpler_runtimes", EXAMPLE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runtime_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runtime")
    c_libraries.build(HOST, folder / "libhost_runtime.so")
    c_libraries.build(AICORE, folder / "libaicore_kernel.so")
    (folder / "libaicpu_kernel.so").write_bytes(b"aicpu")
    return folder


def run(example: ModuleType, runtime) -> list[float]:
    callable = runtime.keep(example.pack_callable("entry", b"graph", [(7, b"one"), (8, b"two")]))
    a = np.arange(8, dtype=np.float32).reshape(2, 4)
    out = np.zeros(8, np.float32)
    runtime.run(callable, [a, np.full(8, 2, np.float32), out], block_dim=3, threads=4, orch=1)
    return out.tolist()


def in_a_fresh_process(function: str, *words: str) -> None:
    """A pinned library keeps its namespace until the process ends, so the tests' own process must not load it."""
    text = (
        f"import sys; sys.path[:0] = {[str(Path(__file__).parent), str(SUPPORT)]}; import {Path(__file__).stem} as here"
    )
    command = [sys.executable, "-c", f"{text}; here.{function}(*sys.argv[1:])", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def take_turns(folder: str, isolation: str) -> None:
    example = load_example()
    runtimes = [example.Runtime(Path(folder), isolation) for _ in range(3)]
    for runtime in runtimes * 3:
        result = run(example, runtime)
        assert result == [2 * i + 3 for i in range(8)], result
    states = {runtime.close().state for runtime in runtimes}
    assert isolation != "process" or states == {"unloaded"}, states


def run_without_the_option(folder: str) -> None:
    example = load_example()
    example.isolate.open = lambda *words, open=isolate.open, **named: open(*words, **{**named, "default_lookup": False})
    result = run(example, example.Runtime(Path(folder)))
    assert result == [2 * i for i in range(8)], result


@pytest.mark.parametrize("isolation", ["namespace", "process"])
def test_runtimes_in_turn(runtime_folder, isolation):
    in_a_fresh_process("take_turns", str(runtime_folder), isolation)


def test_it_needs_the_option(runtime_folder):
    """Without it the program finds nothing: another result, and no word of it."""
    in_a_fresh_process("run_without_the_option", str(runtime_folder))


def test_it_says_what_is_missing(tmp_path):
    def outcome(**variables: str) -> tuple[int, str]:
        environment = {name: value for name, value in os.environ.items() if name not in ("SIMPLER_DIR", "PTO_ISA_ROOT")}
        done = subprocess.run(
            [sys.executable, str(EXAMPLE)],
            env={**environment, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return done.returncode, done.stderr

    assert outcome() == (2, "SIMPLER_DIR must name a checkout of simpler; found None\n")
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "kernel_compiler.py").touch()
    code, words = outcome(SIMPLER_DIR=str(tmp_path), PTO_ISA_ROOT="/none")
    assert (code, words) == (2, "PTO_ISA_ROOT must name a checkout of PTO-ISA; found '/none'\n")
    (tmp_path / "include" / "pto").mkdir(parents=True)
    (tmp_path / "include" / "pto" / "pto-inst.hpp").touch()
    code, words = outcome(SIMPLER_DIR=str(tmp_path), PTO_ISA_ROOT=str(tmp_path))
    assert code == 2
    assert "libhost_runtime.so; build simpler's runtimes" in words


@pytest.mark.parametrize("isolation", ["namespace", "process"])
def test_simplers_own_runtimes(isolation):
    if why := load_example().missing(os.environ.get("SIMPLER_DIR"), os.environ.get("PTO_ISA_ROOT")):
        pytest.skip(why)
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--rounds", "3", "--isolation", isolation],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert "3 rounds of 5 runtimes in" in done.stdout

# SPDX-License-Identifier: Apache-2.0
"""Stacks of the threads on which libraries, orchestrations and kernels run."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
from ctypes import c_int, c_size_t
from functools import cache
from pathlib import Path

import c_libraries
import numpy as np
import pytest
from callables import FOLDER, RUNTIME
from checkout import SUPPORT

import chiphost as ch
from chiphost import isolate
from chiphost.errors import ArgumentError, ConfigError

STRATEGIES = ("namespace", "copy", "process")
MIB = 1 << 20

SOURCE = r"""
#include <alloca.h>
#include <stddef.h>
extern "C" int use_stack(size_t bytes) {
    volatile char* memory = static_cast<volatile char*>(alloca(bytes));
    for (size_t i = 0; i < bytes; i += 4096) memory[bytes - 1 - i] = 1;
    return memory[bytes - 1];
}
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return c_libraries.build(SOURCE, tmp_path_factory.mktemp("stacks") / "stack.so")


@cache
def stack_callable() -> ch.ChipCallable:
    return ch.compile(
        FOLDER / "stack_graph.cpp",
        [ch.Kernel(0, FOLDER / "stack_kernel.cpp", "aiv")],
        signature=[ch.Out("out", "int64", (None,)), ch.Scalar("bytes", "int64")],
    )


@cache
def stack_device_callable(runtime: str) -> ch.ChipCallable:
    return ch.compile(FOLDER / "stack_device_graph.cpp", [], runtime=runtime, signature=[ch.Scalar("bytes", "int64")])


def use_stack(worker: ch.ChipWorker, size: int, sim_threads: int) -> None:
    out = np.zeros(8, np.int64)
    worker.run(stack_callable(), [out, size], sim_threads=sim_threads)
    assert out.tolist() == [1] * len(out)


def use_everywhere(path: str, strategy: str, size: int, **options: int) -> None:
    with isolate.open(path, strategy, **options) as library:
        assert library.function("use_stack", c_int, [c_size_t])(size) == 1
    with ch.ChipWorker(RUNTIME, isolation=strategy, **options) as worker:
        for sim_threads in 1, 3:
            use_stack(worker, size, sim_threads)
    for runtime in "aicpu_build_graph", "tensormap_and_ringbuffer":
        with ch.ChipWorker(runtime, isolation=strategy, **options) as worker:
            worker.run(stack_device_callable(runtime), [size])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_as_large_as_asked_for(path, strategy):
    with isolate.open(path, strategy), isolate.open(path, strategy):
        use_everywhere(str(path), strategy, 200 * MIB, stack_bytes=210 * MIB)
        use_everywhere(str(path), strategy, 4 * MIB, stack_bytes=1)  # less than 8 MiB is 8 MiB
        use_everywhere(str(path), strategy, 4 * MIB)


@pytest.mark.parametrize(
    ("limit_kib", "size"), [(100 * 1024, 90 * MIB), ("unlimited", 50 * MIB), (1024, 6 * MIB)], ids=["100M", "no", "1M"]
)
def test_as_large_as_a_program_s_first_thread(path, limit_kib, size):
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    if hard != resource.RLIM_INFINITY and (limit_kib == "unlimited" or limit_kib * 1024 > hard):
        pytest.skip(f"stacks may have {hard} bytes here, not more (ulimit -Hs)")
    program = (
        "import sys; sys.path[:0] = sys.argv[1].split(':'); from test_stacks import *\n"
        "for strategy in STRATEGIES: use_everywhere(sys.argv[2], strategy, int(sys.argv[3]))"
    )
    stack_callable()  # so that no compiler is needed there
    for runtime in "aicpu_build_graph", "tensormap_and_ringbuffer":
        stack_device_callable(runtime)
    command = f'ulimit -Ss {limit_kib} && exec "$@"'
    arguments = ["sh", "-c", command, "sh", sys.executable, "-c", program, f"{Path(__file__).parent}:{SUPPORT}", path]
    done = subprocess.run([*arguments, str(size)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def test_the_environment_has_a_default(path, monkeypatch):
    monkeypatch.setenv("CHIPHOST_STACK_BYTES", str(100 * MIB))
    use_everywhere(str(path), "copy", 90 * MIB)
    monkeypatch.setenv("CHIPHOST_STACK_BYTES", "much")
    with pytest.raises(ConfigError, match="CHIPHOST_STACK_BYTES: wanted 0 to 1099511627776 bytes, found 'much'"):
        isolate.open(path, "copy")
    with pytest.raises(ConfigError, match="CHIPHOST_STACK_BYTES"):
        ch.ChipWorker(RUNTIME)


@pytest.mark.parametrize("wrong", [-1, 2**41, "8M", 1.5, None])
def test_what_is_no_size(path, wrong):
    for make in (
        lambda: isolate.open(path, "copy", stack_bytes=wrong),
        lambda: ch.ChipWorker(RUNTIME, stack_bytes=wrong),
    ):
        with pytest.raises(ArgumentError, match="stack_bytes: wanted"):
            make()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_the_system_refuses_is_an_error(path, strategy):
    program = (
        "import resource, sys; from chiphost import isolate\n"
        "import chiphost as ch\n"
        "with isolate.open(sys.argv[1], sys.argv[2]): pass\n"
        "resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))\n"
        "try: isolate.open(sys.argv[1], sys.argv[2], stack_bytes=1 << 39)\n"
        "except ch.ChiphostError as error: print(error)\n"
        "with isolate.open(sys.argv[1], sys.argv[2]): pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), strategy], capture_output=True, text=True, timeout=120, check=True
    )
    assert "HOST_MEMORY_EXHAUSTED" in done.stdout
    assert "the system refuses another thread with a stack of 549755813888 bytes" in done.stdout


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_no_further_thread_or_process_is_no_want_of_memory(path, strategy):
    program = (
        "import os, resource, sys; from chiphost import isolate\n"
        "import chiphost as ch\n"
        "resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))\n"
        "if os.getuid() == 0:\n"  # the limit is not for root, who still opens the files: only the real user changes
        "    import ctypes; libc = ctypes.CDLL(None); data = (ctypes.c_uint32 * 6)()\n"
        "    head = (ctypes.c_uint32 * 2)(0x20080522, 0)\n"
        "    os.setresuid(54321, 0, 0)\n"
        "    assert libc.capget(head, data) == 0\n"
        "    data[0] &= ~(1 << 21 | 1 << 24)\n"  # CAP_SYS_ADMIN and CAP_SYS_RESOURCE, effective
        "    assert libc.capset(head, data) == 0\n"
        "try: isolate.open(sys.argv[1], sys.argv[2])\n"
        "except ch.ChiphostError as error: print(error)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        library = shutil.copy(path, folder)
        command = [sys.executable, "-c", program, library, strategy]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    expected = "PROCESS_NOT_STARTED (310)" if strategy == "process" else "THREAD_NOT_STARTED (312)"
    assert done.stdout.startswith(expected), done.stdout
    assert "ulimit -u" in done.stdout or "-u, -v" in done.stdout
    assert "pids.max" in done.stdout

# SPDX-License-Identifier: Apache-2.0
"""Code that makes a copy of its process with fork() and lets it come back: the copy answers nobody, and ends."""

from __future__ import annotations

import ctypes
import os
import select
from collections.abc import Callable
from functools import cache
from pathlib import Path

import c_libraries
import numpy as np
import pytest
from callables import RUNTIME, chain, run_graph

import chiphost as ch
from chiphost import isolate

STRATEGIES = ("namespace", "copy", "process")
DEVICE = ("aicpu_build_graph", "tensormap_and_ringbuffer")

KERNEL = """
#include <unistd.h>
#include <chiphost/kernel.h>
static int copy = 0;
struct Constructed {{ Constructed() {{ {constructor} }} }} constructed;
extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {{
    {kernel}
    *chiphost::{access}<int32_t>(args, 0) = copy;
}}
"""
HOST_ORCHESTRATION = """
#include <unistd.h>
#include <chiphost/host_build_graph.h>
CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {{
    {orchestration}
    const auto out = graph.copy_out(args.tensor(0));
    graph.add_task(chiphost::AIV, 0, {{out}});
    return 0;
}}
"""
DEVICE_ORCHESTRATION = """
#include <unistd.h>
#include <chiphost/device_graph.h>
CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {{
    {orchestration}
    graph.submit(chiphost::Task(chiphost::AIV, 0).inout(args.tensor(0)));
    return 0;
}}
"""
FORK = {
    "kernel": "copy = fork();",
    "constructor": "copy = fork();",
    "orchestration": "if (fork() == 0) {}",
}


def ended(process: int) -> bool:
    """True if the process ends, now or soon; one that nobody has waited for counts as ended."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 120)[0])
    finally:
        os.close(descriptor)


def descendants(process: int) -> set[int]:
    """The processes below this one that have not ended."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(words[1]) == process and words[0] not in "ZX":
            found |= {int(folder.name)} | descendants(int(folder.name))
    return found


@pytest.fixture(scope="module")
def compile_forking(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], ch.ChipCallable]:
    return cache(lambda runtime, where: compile_below(tmp_path_factory.mktemp("forks"), runtime, where))


def compile_below(folder: Path, runtime: str, where: str) -> ch.ChipCallable:
    parts = {"kernel": "", "constructor": "", "orchestration": ""} | {where: FORK[where]}
    on_host = runtime == RUNTIME
    parts["access"] = "pointer_arg" if on_host else "tensor_data"
    (folder / "kernel.cpp").write_text(KERNEL.format(**parts))
    (folder / "graph.cpp").write_text((HOST_ORCHESTRATION if on_host else DEVICE_ORCHESTRATION).format(**parts))
    return ch.compile(
        folder / "graph.cpp",
        [ch.Kernel(0, folder / "kernel.cpp", "aiv")],
        signature=[(ch.Out if on_host else ch.InOut)("out", "int32", (1,))],
    )


@pytest.mark.parametrize(("runtime", "sim_threads"), [(RUNTIME, 1), (RUNTIME, 2), *((name, 1) for name in DEVICE)])
@pytest.mark.parametrize("where", FORK)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_copy_that_comes_back_ends(
    compile_forking: Callable[[str, str], ch.ChipCallable], strategy: str, where: str, runtime: str, sim_threads: int
) -> None:
    forking = compile_forking(runtime, where)
    before = descendants(os.getpid())
    with ch.ChipWorker(runtime, isolation=strategy) as worker:
        for _ in range(3):
            out = np.full(1, -1, np.int32)
            worker.run(forking, [out], sim_threads=sim_threads)
            if where == "orchestration":
                assert out[0] == 0
            else:
                assert out[0] > 0, "the copy's answer was taken for that of the process"
                assert ended(int(out[0]))
        own = worker.process_id or os.getpid()
        assert all(ended(process) for process in descendants(own) - before)
    with ch.ChipWorker(RUNTIME, isolation=strategy) as other:
        run_graph(other, *chain(30), sim_threads=sim_threads)


LIBRARY = """
#include <sys/types.h>
#include <unistd.h>
#include <stdexcept>
static pid_t constructed = fork();
extern "C" {
int constructor() { return constructed; }
int function() { return fork(); }
int thrown() { const pid_t copy = fork(); if (copy == 0) throw std::runtime_error("the copy"); return copy; }
void fill(int* out) { const pid_t copy = fork(); out[0] = copy; out[1] = out[1] + 1; }
const char* text() { return fork() == 0 ? "the copy" : "the process"; }
}
"""


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_library_is_told_the_number_of_the_copy(tmp_path: Path, strategy: str) -> None:
    path = c_libraries.build(LIBRARY, tmp_path / "library.so")
    before = descendants(os.getpid())
    with isolate.open(path, strategy) as library:
        for name in ("constructor", "function", "thrown"):
            process = library.function(name, ctypes.c_int)()
            assert process > 0
            assert ended(process)
        for _ in range(20):
            numbers = np.array([-1, 6], np.int32)
            library.function("fill", None, [isolate.InOut(np.int32)])(numbers)
            assert numbers[0] > 0 and numbers[1] == 7
            assert library.function("text", ctypes.c_char_p)() == b"the process"
        own = library.process_id or os.getpid()
        assert all(ended(process) for process in descendants(own) - before)

# SPDX-License-Identifier: Apache-2.0
"""Threads and signal handlers that code leaves behind: what they need stays loaded until they have ended."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from callables import RUNTIME

STRATEGIES = ("namespace", "copy", "process")
RUNTIMES = (RUNTIME, "aicpu_build_graph", "tensormap_and_ringbuffer")

HEADERS = """
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#include <thread>
static volatile long turns = 0;
static volatile bool over = false;
static int pipe_ends[2];
static void run() {{ while (!over) {{ ++turns; usleep(1000); }} }}
static void count(int) {{ ++turns; }}
static int keep = 1;
"""
DEEDS = {
    "runs": "std::thread(run).detach();",
    "renamed": 'std::thread([] { pthread_setname_np(pthread_self(), "mine"); run(); }).detach();',
    "blocked": "if (pipe(pipe_ends) == 0) std::thread([] { read(pipe_ends[0], pipe_ends, 1); }).detach();",
    "makes_more": "std::thread([] { while (!over) { std::thread([] { ++turns; usleep(100); }).join(); } }).detach();",
    "handler": "signal(SIGUSR1, count);",
}
KERNEL = """
#include <chiphost/kernel.h>
{headers}
extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {{
    {deed}
    *chiphost::{access}<int32_t>(args, 0) = keep;
}}
"""
HOST_ORCHESTRATION = """
#include <chiphost/host_build_graph.h>
{headers}
CHIPHOST_HOST_ORCHESTRATION(build_graph, graph, args) {{
    {deed}
    const auto out = graph.copy_out(args.tensor(0));
    for (int i = 0; i < keep; ++i) graph.add_task(chiphost::AIV, 0, {{out}});
    return 0;
}}
"""
DEVICE_ORCHESTRATION = """
#include <chiphost/device_graph.h>
{headers}
CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {{
    {deed}
    for (int i = 0; i < keep; ++i) graph.submit(chiphost::Task(chiphost::AIV, 0).inout(args.tensor(0)));
    return 0;
}}
"""
PROGRAM = """
import os, signal, sys, time
import numpy as np
import chiphost as ch

folder, runtime, strategy, deed = sys.argv[1:]

def compile(name):
    return ch.compile(f"{folder}/{name}_graph.cpp", [ch.Kernel(0, f"{folder}/{name}_kernel.cpp", "aiv")],
                      signature=[ch.InOut("out", "int32", (1,))])

def run(worker, callable):
    out = np.zeros(1, np.int32)
    worker.run(callable, [out])
    assert out[0] == 1

leaves, good = compile("leaves"), compile("good")
with ch.ChipWorker(runtime, isolation=strategy) as worker:
    run(worker, leaves)
for round in range(3):
    with ch.ChipWorker(runtime, isolation=strategy) as worker:
        run(worker, good)
        if deed == "handler" and strategy != "process":
            os.kill(os.getpid(), signal.SIGUSR1)
        time.sleep(0.05)
        kept = worker.counts()["kept"]
        worker.reset()
assert (kept > 0) == (strategy != "process"), kept
print("lives", flush=True)
os._exit(0)
"""


def write(folder: Path, name: str, runtime: str, kernel: str, orchestration: str) -> None:
    on_host = runtime == RUNTIME
    headers = HEADERS.format()
    (folder / f"{name}_kernel.cpp").write_text(
        KERNEL.format(headers=headers, deed=kernel, access="pointer_arg" if on_host else "tensor_data")
    )
    graph = HOST_ORCHESTRATION if on_host else DEVICE_ORCHESTRATION
    (folder / f"{name}_graph.cpp").write_text(graph.format(headers=headers, deed=orchestration))


def program(text: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(text), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("where", "deed"),
    [*(("kernel", deed) for deed in DEEDS), ("orchestration", "runs"), ("orchestration", "handler")],
)
def test_what_is_left_finds_its_code(tmp_path: Path, where: str, deed: str, strategy: str, runtime: str) -> None:
    if runtime != RUNTIME and (where, deed) not in (("kernel", "runs"), ("orchestration", "runs")):
        pytest.skip("the same as in the first runtime")
    deeds = {"kernel": "", "orchestration": ""} | {where: DEEDS[deed]}
    write(tmp_path, "leaves", runtime, **deeds)
    write(tmp_path, "good", runtime, "", "")
    done = program(PROGRAM, tmp_path, runtime, strategy, deed)
    assert (done.returncode, done.stdout) == (0, "lives\n"), done.stderr


ENDS = """
import sys, time
import numpy as np
import chiphost as ch

folder, runtime, strategy = sys.argv[1:]
callable = ch.compile(f"{folder}/leaves_graph.cpp", [ch.Kernel(0, f"{folder}/leaves_kernel.cpp", "aiv")],
                      signature=[ch.InOut("out", "int32", (1,))])
with ch.ChipWorker(runtime, isolation=strategy) as other:
    for round in range(5):
        with ch.ChipWorker(runtime, isolation=strategy) as worker:
            worker.run(callable, [np.zeros(1, np.int32)])
    deadline = time.monotonic() + 60
    while other.counts()["kept"] > 2 and time.monotonic() < deadline:
        time.sleep(0.3)  # the threads end
        with ch.ChipWorker(runtime, isolation=strategy) as worker:
            worker.run(callable, [np.zeros(1, np.int32)])
    # A thread that has begun may run all that was loaded then: both libraries of the last run are kept.
    assert other.counts()["kept"] <= 2, other.counts()
print("all gone", flush=True)
"""


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("strategy", ["namespace", "copy"])
def test_what_a_thread_needed_is_unloaded_after_its_end(tmp_path: Path, strategy: str, runtime: str) -> None:
    write(tmp_path, "leaves", runtime, "std::thread([] { usleep(100000); ++turns; }).detach();", "")
    done = program(ENDS, tmp_path, runtime, strategy)
    assert (done.returncode, done.stdout) == (0, "all gone\n"), done.stderr

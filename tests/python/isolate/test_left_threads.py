# SPDX-License-Identifier: Apache-2.0
"""Threads and signal handlers that code leaves behind: the libraries they need stay loaded until they have ended."""

from __future__ import annotations

import hashlib
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

runtime, strategy, deed, *sources = sys.argv[1:]

def compile(graph, kernel):
    return ch.compile(graph, [ch.Kernel(0, kernel, "aiv")], signature=[ch.InOut("out", "int32", (1,))])

def run(worker, callable):
    out = np.zeros(1, np.int32)
    worker.run(callable, [out])
    assert out[0] == 1

leaves, good = compile(*sources[:2]), compile(*sources[2:])
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("left_threads")


def write(folder: Path, runtime: str, kernel: str, orchestration: str) -> tuple[Path, Path]:
    """The sources of an orchestration and a kernel that do this. Equal ones are the same file, compiled once."""
    on_host = runtime == RUNTIME
    headers = HEADERS.format()
    access = "pointer_arg" if on_host else "tensor_data"
    graph = HOST_ORCHESTRATION if on_host else DEVICE_ORCHESTRATION
    texts = (
        graph.format(headers=headers, deed=orchestration),
        KERNEL.format(headers=headers, deed=kernel, access=access),
    )
    paths = tuple(folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.cpp" for text in texts)
    for path, text in zip(paths, texts, strict=True):
        if not path.exists():
            path.write_text(text)
    return paths[0], paths[1]


def program(text: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(text), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("where", "deed", "runtime"),
    [
        *(("kernel", deed, RUNTIME) for deed in DEEDS),
        *(("orchestration", deed, RUNTIME) for deed in ("runs", "handler")),
        *((where, "runs", runtime) for where in ("kernel", "orchestration") for runtime in RUNTIMES[1:]),
    ],
)
def test_what_is_left_finds_its_code(folder: Path, where: str, deed: str, strategy: str, runtime: str) -> None:
    deeds = {"kernel": "", "orchestration": ""} | {where: DEEDS[deed]}
    sources = [*write(folder, runtime, **deeds), *write(folder, runtime, "", "")]
    done = program(PROGRAM, runtime, strategy, deed, *sources)
    assert (done.returncode, done.stdout) == (0, "lives\n"), done.stderr


ENDS = """
import sys, time
import numpy as np
import chiphost as ch

runtime, strategy, graph, kernel = sys.argv[1:]
callable = ch.compile(graph, [ch.Kernel(0, kernel, "aiv")], signature=[ch.InOut("out", "int32", (1,))])
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
def test_what_a_thread_needed_is_unloaded_after_its_end(folder: Path, strategy: str, runtime: str) -> None:
    sources = write(folder, runtime, "std::thread([] { usleep(100000); ++turns; }).detach();", "")
    done = program(ENDS, runtime, strategy, *sources)
    assert (done.returncode, done.stdout) == (0, "all gone\n"), done.stderr

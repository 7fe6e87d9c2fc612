# SPDX-License-Identifier: Apache-2.0
"""The view of somebody who debugs: breakpoints in gdb, and the report of a kernel's crash on stderr."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from checkout import ROOT, SUPPORT

from chiphost._core import namespaces_unavailable

EXAMPLE = ROOT / "tests" / "examples" / "debug"
GUIDE = ROOT / "docs" / "guides" / "debug-a-run.md"
SCENES = EXAMPLE / "scenes"
HERE = [name for name in ("copy", "namespace") if name == "copy" or not namespaces_unavailable()]
TIMEOUT_S = 300
GDB_WITH_NAMESPACES = 13


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    # gdb runs in a session of its own, because it would wait for the terminal.
    return subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        env={**os.environ, **environment},
        start_new_session=True,
        check=False,
    )


def chiphost_run(scene: str, case: str, isolation: str) -> list[object]:
    options = ["--scenes", SCENES, "--case", case, "--isolation", isolation]
    return [sys.executable, "-m", "chiphost", "run", scene, *options]


@pytest.fixture
def gdb() -> str:
    found = shutil.which("gdb")
    if not found:
        pytest.skip("gdb is not installed (Debian: apt-get install gdb)")
    probe = run(found, "-batch", "-ex", "run", "--args", "/bin/true")
    if "exited normally" not in probe.stdout:
        pytest.skip(f"gdb may not trace processes here: {probe.stdout.strip().splitlines()[-1:]}")
    return found


def session(gdb: str, scene: str, isolation: str) -> str:
    command = [gdb, "-batch", "-x", EXAMPLE / "breakpoints.gdb", "--args", *chiphost_run(scene, "default", isolation)]
    return run(*command, CHIPHOST_CXXFLAGS="-O0", DEBUGINFOD_URLS="").stdout


@pytest.mark.parametrize("runtime", ["host_build_graph", "tensormap_and_ringbuffer"])
@pytest.mark.parametrize("isolation", HERE)
def test_breakpoints_in_an_orchestration_and_in_a_kernel(gdb: str, runtime: str, isolation: str) -> None:
    if isolation == "namespace" and (version := gdb_version(gdb)) < GDB_WITH_NAMESPACES:
        pytest.skip(f"gdb {version} does not know of linker namespaces; {GDB_WITH_NAMESPACES} does")
    said = session(gdb, f"{runtime}/divide", isolation)
    stop = line_of(runtime, "orchestration.cpp")
    assert re.search(rf"hit Breakpoint 1, build_graph_body .*{runtime}/divide/orchestration\.cpp:{stop}\n", said), said
    assert re.search(r"^\$1 = 3$", said, re.M), said  # print divisor
    assert re.search(rf"hit Breakpoint 2, kernel_entry .*{runtime}/divide/kernel\.cpp:\d+\n", said), said
    assert re.search(r"^\$2 = 12$", said, re.M), said  # print dividend
    stop = line_of(runtime, "kernel.cpp")
    assert re.search(rf"^#0 +kernel_entry .*kernel\.cpp:{stop}\n#1 .* in .*run_kernel", said, re.M), said
    assert re.search(r"^PASS +default", said, re.M), said
    assert "reopening" not in said, said  # gdb finds the files that it reads later, too


def gdb_version(gdb: str) -> int:
    [number] = re.findall(r"^GNU gdb .*?(\d+)\.\d+", run(gdb, "--version").stdout, re.M)
    return int(number)


def line_of(runtime: str, file: str) -> int:
    lines = (SCENES / runtime / "divide" / file).read_text().splitlines()
    [number] = [number for number, line in enumerate(lines, 1) if "stop here" in line]
    return number


# The report, down to the first frame of the kernel. Parts of a function that never run as a rule have no name of their
# own.
HEAD = (
    r"chiphost: {signal}{address} in kernel `crash` of submit #0 on core \d+\n"
    r"(?:  #\d+ \S+ \(libc\S+\)\n)*"
    r"  #\d+ {function} \(crash\+0x[0-9a-f]+\){line}\n"
)
IN_SOURCE = r" at \S+/crash\.cpp:\d+" if shutil.which("addr2line") else ""
IN_KERNEL = r"(?:\?|kernel_entry\+0x[0-9a-f]+)"
FAULTS = {
    "segv": (signal.SIGSEGV, " at address 0x10"),
    "fpe": (signal.SIGFPE, " at address 0x[0-9a-f]+"),
    "ill": (signal.SIGILL, " at address 0x[0-9a-f]+"),
    "bus": (signal.SIGBUS, " at address 0x[0-9a-f]+"),
    "abort": (signal.SIGABRT, ""),
    "raise": (signal.SIGSEGV, ""),
    "overflow": (signal.SIGSEGV, " at address 0x[0-9a-f]+"),
}


def head(case: str) -> str:
    number, address = FAULTS[case]
    function = r"\S*use_up_the_stack\S*" if case == "overflow" else IN_KERNEL
    return HEAD.format(signal=number.name, address=address, function=function, line=IN_SOURCE)


@pytest.mark.parametrize("isolation", HERE)
@pytest.mark.parametrize("case", FAULTS)
def test_a_crash_of_a_kernel_names_it(case: str, isolation: str) -> None:
    done = run(*chiphost_run("host_build_graph/crash", case, isolation))
    assert re.search(head(case), done.stdout), done.stdout
    number = FAULTS[case][0]
    assert done.returncode == 3
    assert f"the process ended early, with signal {int(number)}" in done.stdout  # it died as it would have without


@pytest.mark.parametrize("case", FAULTS)
def test_a_crash_in_a_child_process_is_in_the_error(case: str) -> None:
    done = run(*chiphost_run("host_build_graph/crash", case, "process"))
    assert done.returncode == 1
    number = FAULTS[case][0]
    assert f"was killed by {number.name} while kernel `crash` of submit #0 on core" in done.stdout
    told = re.sub(r"^ *(?=chiphost: SIG)", "", done.stdout, flags=re.M)
    told = re.sub(r"^ +#", "  #", told, flags=re.M)
    assert re.search(head(case), told), done.stdout


@pytest.mark.parametrize("isolation", HERE)
def test_a_crash_on_another_thread_of_the_chip(isolation: str) -> None:
    done = run(*chiphost_run("host_build_graph/crash", "segv", isolation), "--sim-threads", "4")
    assert re.search(head("segv"), done.stdout), done.stdout


@pytest.mark.parametrize("runtime", ["host_build_graph", "tensormap_and_ringbuffer"])
@pytest.mark.parametrize("isolation", HERE)
def test_a_crash_of_an_orchestration_names_it(runtime: str, isolation: str) -> None:
    done = run(*chiphost_run(f"{runtime}/crash", "orchestration", isolation))
    wanted = r"chiphost: SIGSEGV at address 0x20 in the orchestration orchestration \(build_graph\)\n"
    assert re.search(wanted, done.stdout), done.stdout


HANDLERS = """
import faulthandler, signal, sys
import numpy as np
import chiphost as ch
sys.path.insert(0, sys.argv[2])
from callables import chain, run_graph
if sys.argv[1] == "before":
    faulthandler.enable()
worker = ch.ChipWorker("host_build_graph", isolation="copy")
run_graph(worker, *chain(3))
if sys.argv[1] == "after":
    faulthandler.enable()
if sys.argv[1] == "gone":
    worker.finalize()
    print(open("/proc/self/status").read())
    sys.exit()
from kernel_faults import do
do(worker, 1)
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_other_handlers_get_the_signal_too(when: str) -> None:
    done = run(sys.executable, "-c", HANDLERS, when, SUPPORT)
    assert done.returncode == -signal.SIGSEGV
    assert "chiphost: SIGSEGV in kernel" in done.stdout
    assert "Fatal Python error: Segmentation fault" in done.stdout


def test_no_handler_stays_when_no_worker_does() -> None:
    done = run(sys.executable, "-c", HANDLERS, "gone", SUPPORT)
    assert done.returncode == 0, done.stdout
    [caught] = re.findall(r"^SigCgt:\s*([0-9a-f]+)$", done.stdout, re.M)
    for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS, signal.SIGABRT):
        assert not int(caught, 16) >> (number - 1) & 1, number


def test_a_signal_from_outside_is_not_blamed_on_a_kernel() -> None:
    program = (
        "import os, signal, sys\nsys.path.insert(0, sys.argv[1])\nimport chiphost as ch\nfrom kernel_faults import do\n"
        "worker = ch.ChipWorker('host_build_graph', isolation='copy')\ndo(worker, 0)\n"
        "os.kill(os.getpid(), signal.SIGSEGV)"
    )
    done = run(sys.executable, "-c", program, SUPPORT)
    assert done.returncode == -signal.SIGSEGV
    assert "chiphost" not in done.stdout


def test_the_guide_shows_what_runs() -> None:
    page = GUIDE.read_text()
    assert (EXAMPLE / "breakpoints.gdb").read_text().strip() in page

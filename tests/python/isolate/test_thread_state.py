# SPDX-License-Identifier: Apache-2.0
"""One user's code changes the state of a thread; this is undone before the next one's code runs there."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import textwrap
from ctypes import c_double, c_int
from functools import cache
from pathlib import Path

import c_libraries
import numpy as np
import pytest
from callables import FOLDER, RUNTIME

import chiphost as ch
from chiphost import isolate

STRATEGIES = ("namespace", "copy", "process")
CHANGES = range(1, 13)  # thread_state.h
FACTS = 14
FLOAT_FACTS = 7
IN_NEXT_RUN = [*range(FLOAT_FACTS), 7, 10]  # and the signal mask and the locale
NOBODY, ORCHESTRATION, KERNELS = range(3)
DEVICE_RUNTIMES = ("aicpu_build_graph", "tensormap_and_ringbuffer")

x86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="start code of -ffast-math is x86's here")

LIBRARY = r"""
#include "thread_state.h"
extern "C" {
void change(int what) { thread_state::change(what); }
void look(int64_t* out) { thread_state::look(out); }
double denormal_product() { return thread_state::denormal_product(); }
}
#ifdef WHEN_LOADED
static const int loaded = (thread_state::change(WHEN_LOADED), 0);
#endif
#ifdef WHEN_UNLOADED
static const struct Unloaded { ~Unloaded() { thread_state::change(WHEN_UNLOADED); } } unloaded;
#endif
"""


@cache
def callable_of(platform: str, *flags: str) -> ch.ChipCallable:
    return ch.compile(
        FOLDER / "thread_state_graph.cpp",
        [ch.Kernel(0, FOLDER / "thread_state_kernel.cpp", "aiv", include_dirs=[FOLDER], flags=flags)],
        platform=platform,
        include_dirs=[FOLDER],
        signature=[ch.Out("rows", "int64", (None, FACTS)), ch.Scalar("what", "int64"), ch.Scalar("who", "int64")],
    )


def look(worker: ch.ChipWorker, sim_threads: int = 1, what: int = 0, who: int = NOBODY, *flags: str) -> np.ndarray:
    rows = np.zeros((64, FACTS), np.int64)
    worker.run(callable_of(worker.platform or "", *flags), [rows, what, who], sim_threads=sim_threads)
    return rows


@cache
def device_callable(runtime: str) -> ch.ChipCallable:
    return ch.compile(
        FOLDER / "thread_state_device_graph.cpp",
        [],
        runtime=runtime,
        include_dirs=[FOLDER],
        signature=[ch.Scalar("what", "int64"), *(ch.Scalar(f"fact{i}", "int64") for i in range(FACTS))],
    )


@pytest.fixture(scope="module")
def library_of(tmp_path_factory):
    folder = tmp_path_factory.mktemp("thread_state")

    @cache
    def build(*flags: str) -> Path:
        name = "".join(filter(str.isalnum, "_".join(flags))) or "plain"
        return c_libraries.build(LIBRARY, folder / f"{name}.so", f"-I{FOLDER}", *flags)

    return build


def look_from(path: Path, strategy: str) -> tuple[list[int], float]:
    with isolate.open(path, strategy) as library:
        facts = np.zeros(FACTS, np.int64)
        library.function("look", None, [isolate.Out("int64")])(facts)
        return facts.tolist(), library.function("denormal_product", c_double)()


def undisturbed(rows: np.ndarray, expected: np.ndarray) -> bool:
    return bool((rows == expected).all())


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("sim_threads", [1, 3])
@pytest.mark.parametrize("who", [ORCHESTRATION, KERNELS], ids=["orchestration", "kernels"])
def test_a_run_leaves_its_threads_as_they_were(strategy, sim_threads, who):
    with ch.ChipWorker(RUNTIME, isolation=strategy) as worker:
        expected = look(worker, sim_threads)[0]
    for what in CHANGES:
        with ch.ChipWorker(RUNTIME, isolation=strategy) as worker:
            changed = look(worker, sim_threads, what, who)
            floats = changed[:, :FLOAT_FACTS]
            assert undisturbed(floats, expected[:FLOAT_FACTS]), f"{what}: kernels of the same run"
            after = look(worker, sim_threads)[:, IN_NEXT_RUN]
            assert undisturbed(after, expected[IN_NEXT_RUN]), f"{what}: the next run"
            look(worker, sim_threads, what, who)
        with ch.ChipWorker(RUNTIME, isolation=strategy) as worker:
            assert undisturbed(look(worker, sim_threads), expected), f"{what}: the next worker"
        with ch.ChipWorker(RUNTIME, "a5sim", isolation=strategy) as worker:
            rows = look(worker, sim_threads)
            assert undisturbed(rows, rows[0]) and undisturbed(rows[:, :FLOAT_FACTS], expected[:FLOAT_FACTS])


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("runtime", DEVICE_RUNTIMES)
def test_an_orchestration_on_the_aicpu_leaves_its_thread_as_it_was(strategy, runtime):
    with ch.ChipWorker(RUNTIME, isolation=strategy) as worker:
        expected = look(worker)[0].tolist()
    for what in CHANGES:
        with ch.ChipWorker(runtime, isolation=strategy) as worker:
            worker.run(device_callable(runtime), [what, *expected])
        with ch.ChipWorker(runtime, isolation=strategy) as worker:
            worker.run(device_callable(runtime), [0, *expected])
            worker.run(device_callable(runtime), [0, *expected], seed=7)


@x86
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_kernel_for_fast_math_changes_no_other(strategy):
    with ch.ChipWorker(RUNTIME, isolation=strategy) as worker:
        expected = look(worker)[0]
        assert undisturbed(look(worker, 1, 0, NOBODY, "-ffast-math"), expected)
        assert undisturbed(look(worker), expected)
    with ch.ChipWorker(RUNTIME, isolation=strategy) as worker:
        assert undisturbed(look(worker), expected)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_library_leaves_its_thread_as_it_was(strategy, library_of):
    expected, product = look_from(library_of(), strategy)
    assert product > 0
    for what in CHANGES:
        with isolate.open(library_of(), strategy) as library:
            library.function("change", None, [c_int])(what)
        assert look_from(library_of(), strategy) == (expected, product), what
        with ch.ChipWorker(RUNTIME, isolation=strategy) as worker:
            assert undisturbed(look(worker)[:, :FLOAT_FACTS], np.array(expected[:FLOAT_FACTS])), what


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_a_function_sets_holds_for_the_next_function_of_the_library(strategy, library_of):
    with isolate.open(library_of(), strategy) as library:
        library.function("change", None, [c_int])(2)
        assert library.function("denormal_product", c_double)() == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("when", ["LOADED", "UNLOADED"])
def test_constructors_and_destructors_leave_the_thread_as_it_was(strategy, when, library_of):
    expected = look_from(library_of(), strategy)
    for what in CHANGES:
        path = library_of(f"-DWHEN_{when}={what}")
        assert look_from(path, strategy) == expected, what
        assert look_from(library_of(), strategy) == expected, what


@x86
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_library_for_fast_math_changes_no_other(strategy, library_of):
    expected = look_from(library_of(), strategy)
    with isolate.open(library_of("-ffast-math"), strategy):
        assert look_from(library_of(), strategy) == expected
    assert look_from(library_of(), strategy) == expected
    assert expected[1] > 0


def test_the_thread_of_the_caller_stays_as_it_is(library_of):
    """The caller's settings stay as they are. This runs in another process, so that no other test is disturbed."""
    run_alone(
        """
        own = ctypes.CDLL(library)
        own.change(1)
        own.change(2)
        before = facts_of(own)
        for strategy in "namespace", "copy", "process":
            with isolate.open(fast, strategy) as opened:
                opened.function("change", None, [ctypes.c_int])(5)
                facts = np.zeros(14, np.int64)
            with isolate.open(library, strategy) as opened:
                opened.function("look", None, [isolate.Out("int64")])(facts)
                assert facts[3] == 1, strategy  # denormals are kept there; here a comparison would not see them
            with ch.ChipWorker("host_build_graph", isolation=strategy) as worker:
                pass
            assert facts_of(own) == before, strategy
        """,
        library_of(),
        library_of("-ffast-math") if platform.machine() == "x86_64" else library_of(),
    )


@pytest.mark.skipif(os.getuid() != 0, reason="only root has a right to give up")
def test_a_thread_that_cannot_be_restored_is_not_lent_again(library_of):
    for strategy in "namespace", "copy":
        run_alone(
            f"""
            with isolate.open(library, "{strategy}") as opened:
                opened.function("drop", None)()  # its thread may raise no priority any more
                opened.function("change", None, [ctypes.c_int])(7)
            with isolate.open(library, "{strategy}") as opened:
                facts = np.zeros(14, np.int64)
                opened.function("look", None, [isolate.Out("int64")])(facts)
                assert facts[9] == os.getpriority(os.PRIO_PROCESS, 0), facts
            """,
            c_libraries.build(
                LIBRARY
                + """
                #include <linux/capability.h>
                extern "C" void drop() {
                    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
                    __user_cap_data_struct none[2]{};
                    syscall(SYS_capset, &header, none);
                }
                """,
                library_of().with_name(f"drops_{strategy}.so"),
                f"-I{FOLDER}",
            ),
            library_of(),
        )


def run_alone(code: str, library: Path, fast: Path) -> None:
    """Run code in a process of its own; it has `library`, `fast`, facts_of(), and the usual modules."""
    program = f"""
import ctypes, os
import numpy as np
import chiphost as ch
from chiphost import isolate
library, fast = {str(library)!r}, {str(fast)!r}
def facts_of(own):
    facts = (ctypes.c_int64 * 14)()
    own.look(facts)
    return list(facts)
""" + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr

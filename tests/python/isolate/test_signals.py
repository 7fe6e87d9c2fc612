# SPDX-License-Identifier: Apache-2.0
"""Signals in a library, and in the processes that it starts; the arguments of constructors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from ctypes import c_char_p, c_int
from functools import cache
from pathlib import Path

import c_libraries
import numpy as np
import pytest
from callables import FOLDER, RUNTIME

import chiphost as ch
from chiphost import isolate

STRATEGIES = ("namespace", "copy", "process")
WAYS = ("fork", "vfork", "posix_spawn", "posix_spawnp", "system", "popen")

SOURCE = r"""
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
extern char** environ;
static volatile sig_atomic_t handled = 0;
static void handle(int) { handled = handled + 1; }
static sigjmp_buf back;
static void jump(int) { siglongjmp(back, 1); }

extern "C" {
// Starts `sh -c command`; its process id. popen's is not known.
int start(const char* way, const char* command) {
    char* const arguments[] = {const_cast<char*>("sh"), const_cast<char*>("-c"), const_cast<char*>(command), nullptr};
    pid_t process = -1;
    if (!strcmp(way, "fork")) {
        process = fork();
        if (process == 0) { execv("/bin/sh", arguments); _exit(127); }
    } else if (!strcmp(way, "vfork")) {
        process = vfork();
        if (process == 0) { execv("/bin/sh", arguments); _exit(127); }
    } else if (!strcmp(way, "posix_spawn")) {
        if (posix_spawn(&process, "/bin/sh", nullptr, nullptr, arguments, environ) != 0) return -1;
    } else if (!strcmp(way, "posix_spawnp")) {
        posix_spawnattr_t attributes;
        posix_spawnattr_init(&attributes);
        if (posix_spawnp(&process, "sh", nullptr, &attributes, arguments, environ) != 0) return -1;
        posix_spawnattr_destroy(&attributes);
    }
    return process;
}
// The status of `sh -c command`, as wait() tells it.
int run(const char* way, const char* command) {
    if (!strcmp(way, "system")) return system(command);
    if (!strcmp(way, "popen")) {
        FILE* output = popen(command, "r");
        if (!output) return -1;
        while (fgetc(output) != EOF) {}
        return pclose(output);
    }
    int status = -1;
    const pid_t process = start(way, command);
    return process < 0 || waitpid(process, &status, 0) != process ? -1 : status;
}
// Runs the command with all signals blocked by the library.
int run_blocked(const char* way, const char* command) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int status = run(way, command);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return status;
}
// Lines that a command writes, counted; and a command that counts lines.
int read_from(const char* command) {
    FILE* output = popen(command, "r");
    int lines = 0;
    for (int c; output && (c = fgetc(output)) != EOF;) lines += c == '\n';
    return output && pclose(output) == 0 ? lines : -1;
}
int write_to(const char* command) {
    FILE* input = popen(command, "w");
    if (!input) return -1;
    fputs("one\ntwo\n", input);
    return pclose(input);
}
int no_command() { return system(nullptr); }
int bad_mode() { return popen("true", "x") == nullptr; }

int raise_handled(int number) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handle;
    if (sigaction(number, &action, nullptr) != 0) return -1;
    handled = 0;
    raise(number);
    const int count = handled;
    signal(number, SIG_DFL);
    return count;
}
#ifdef HANDLED
// Installed by a constructor, on whatever thread that runs.
__attribute__((constructor)) static void install() {
    const int numbers[] = {HANDLED};
    for (int number : numbers) signal(number, handle);
}
#endif
int raise_now(int number) {
    handled = 0;
    raise(number);
    return handled;
}
void unhandle(int number) { signal(number, SIG_DFL); }
void block(int number) {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, number);
    pthread_sigmask(SIG_BLOCK, &mask, nullptr);
}
int is_blocked(int number) {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return sigismember(&mask, number);
}
// Handles a signal here and in a copy of this process while another thread walks the loader's list. How the copy ended.
static volatile sig_atomic_t walks = 0;
static int stay(dl_phdr_info*, size_t, void*) {
    walks = 1;
    while (walks) sched_yield();
    return 1;
}
static void* walk(void*) { return reinterpret_cast<void*>(static_cast<intptr_t>(dl_iterate_phdr(stay, nullptr))); }
int handle_while_the_loader_is_busy(int number) {
    pthread_t walker;
    if (pthread_create(&walker, nullptr, walk, nullptr) != 0) return -1;
    while (!walks) sched_yield();
    signal(number, handle);
    const pid_t copy = fork();
    if (copy == 0) {
        alarm(10);
        signal(number, handle);
        _exit(7);
    }
    int status = -1;
    waitpid(copy, &status, 0);
    signal(number, SIG_DFL);
    walks = 0;
    pthread_join(walker, nullptr);
    return status;
}
int raise_handled_by_signal(int number) {
    signal(number, handle);
    handled = 0;
    raise(number);
    const int count = handled;
    signal(number, SIG_DFL);
    return count;
}
// A time limit as solvers have it: the handler jumps out of the computation.
int stopped_by_timer(int milliseconds) {
    signal(SIGALRM, jump);
    itimerval timer;
    memset(&timer, 0, sizeof timer);
    timer.it_value.tv_usec = 1000 * milliseconds;
    if (sigsetjmp(back, 1) == 0) {
        setitimer(ITIMER_REAL, &timer, nullptr);
        for (volatile unsigned long work = 0;; work = work + 1) {}
    }
    signal(SIGALRM, SIG_DFL);
    return 1;
}

// The arguments of this library's constructor.
static int count = -1;
static char** values = nullptr;
__attribute__((constructor)) static void keep(int argc, char** argv, char**) { count = argc; values = argv; }
int argument_count() { return count; }
const char* argument(int index) { return index < count ? values[index] : nullptr; }
int page_bytes() {  // as Go's start code finds it
    char** place = values + count + 1;
    while (*place) ++place;
    for (auto* entry = reinterpret_cast<Elf64_auxv_t*>(place + 1); entry->a_type != AT_NULL; ++entry) {
        if (entry->a_type == AT_PAGESZ) return static_cast<int>(entry->a_un.a_val);
    }
    return -1;
}
int environment_is_followed_by_null() { return values[count] == nullptr; }
}
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return c_libraries.build(SOURCE, tmp_path_factory.mktemp("signals") / "signals.so", "-pthread")


@pytest.fixture(params=STRATEGIES)
def library(path, request):
    with isolate.open(path, request.param, timeout_s=60) as opened:
        yield opened


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_process_that_a_library_starts_reacts_to_signals(library, way, number):
    run = library.function("run", c_int, [c_char_p, c_char_p])
    status = run(way.encode(), b"kill -%d $$; exit 3" % number)
    assert os.WIFSIGNALED(status), (os.WEXITSTATUS(status), way)
    assert os.WTERMSIG(status) == number


@pytest.mark.parametrize("way", ["fork", "posix_spawn", "system", "popen"])
def test_a_mask_that_the_library_sets_is_handed_down(library, way):
    run = library.function("run_blocked", c_int, [c_char_p, c_char_p])
    status = run(way.encode(), b"kill -TERM $$; exit 3")
    assert (os.WIFEXITED(status), os.WEXITSTATUS(status)) == (True, 3)


def test_shells_for_libraries(library, tmp_path):
    assert library.function("read_from", c_int, [c_char_p])(b"printf 'a\\nb\\nc\\n'") == 3
    assert library.function("read_from", c_int, [c_char_p])(b"exit 4") == -1
    written = tmp_path / "written"
    assert library.function("write_to", c_int, [c_char_p])(f"cat > {written}".encode()) == 0
    assert written.read_text() == "one\ntwo\n"
    assert library.function("no_command", c_int)() == 1
    assert library.function("bad_mode", c_int)() == 1
    status = library.function("run", c_int, [c_char_p, c_char_p])(b"system", b"exit 7")
    assert os.WEXITSTATUS(status) == 7


def test_raise_reaches_the_library_s_handler(library):
    for number in signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM:
        before = signal.getsignal(number)
        assert library.function("raise_handled", c_int, [c_int])(number) == 1, number
        assert library.function("raise_handled_by_signal", c_int, [c_int])(number) == 1, number
        assert signal.getsignal(number) is before


def test_a_handler_is_installed_while_the_loader_is_busy(library):
    status = library.function("handle_while_the_loader_is_busy", c_int, [c_int], timeout_s=20)(signal.SIGUSR1)
    assert (os.WIFEXITED(status), os.WEXITSTATUS(status)) == (True, 7)


@pytest.fixture(scope="module")
def handling_path(tmp_path_factory) -> Path:
    numbers = "-DHANDLED=SIGUSR2,SIGINT,SIGPIPE"
    return c_libraries.build(SOURCE, tmp_path_factory.mktemp("signals") / "handling.so", "-pthread", numbers)


@pytest.fixture
def program_s_handlers():
    handled = {number: signal.getsignal(number) for number in (signal.SIGUSR2, signal.SIGINT, signal.SIGPIPE)}
    yield handled
    for number, handler in handled.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_handler_that_a_constructor_installs_is_reached_by_later_calls(handling_path, strategy, program_s_handlers):
    with isolate.open(handling_path, strategy, timeout_s=60) as library:
        numbers = {name: library.function(name, c_int, [c_int]) for name in ("raise_now", "is_blocked")}
        for number in program_s_handlers:
            assert [numbers["raise_now"](number) for _ in range(2)] == [1, 1], number
        # Processes that it starts react to signals as ever.
        status = library.function("run", c_int, [c_char_p, c_char_p])(b"system", b"kill -TERM $$; exit 3")
        assert os.WIFSIGNALED(status)
        # The thread belongs to the library: signals that the library blocks itself stay blocked.
        library.function("block", None, [c_int])(signal.SIGUSR2)
        assert numbers["is_blocked"](signal.SIGUSR2) == 1
        for number in program_s_handlers:
            library.function("unhandle", None, [c_int])(number)
        assert numbers["is_blocked"](signal.SIGINT) == 1  # as if it had never been handled


@pytest.mark.parametrize("strategy", ["namespace", "copy"])
def test_a_handler_of_the_program_takes_a_library_s_place(handling_path, strategy, program_s_handlers):
    with isolate.open(handling_path, strategy, timeout_s=60) as library:
        is_blocked = library.function("is_blocked", c_int, [c_int])
        assert is_blocked(signal.SIGUSR2) == 0
        signal.signal(signal.SIGUSR2, lambda number, frame: None)
        assert is_blocked(signal.SIGUSR2) == 1
        for number in program_s_handlers:
            library.function("unhandle", None, [c_int])(number)


@cache
def handling_kernel() -> ch.ChipCallable:
    return ch.compile(
        FOLDER / "one_task.cpp",
        [ch.Kernel(0, FOLDER / "handled_signal_kernel.cpp", "aiv", include_dirs=[FOLDER])],
        signature=[ch.Out("out", "int32", (1,)), ch.Scalar("last", "uint64")],
    )


@cache
def handling_orchestration() -> ch.ChipCallable:
    return ch.compile(
        FOLDER / "handled_signal_device_graph.cpp",
        [],
        runtime="aicpu_build_graph",
        include_dirs=[FOLDER],
        signature=[ch.Scalar("last", "int64")],
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_kernel_s_handler_is_reached_in_every_run(strategy, program_s_handlers):
    with ch.ChipWorker(RUNTIME, isolation=strategy) as worker:
        for last in 0, 0, 1:
            out = np.zeros(1, np.int32)
            worker.run(handling_kernel(), [out, last])
            assert out[0] == 1


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_orchestration_s_handler_is_reached_in_every_run(strategy, program_s_handlers):
    with ch.ChipWorker("aicpu_build_graph", isolation=strategy) as worker:
        for last in 0, 0, 1:
            worker.run(handling_orchestration(), [last])


def test_a_timer_stops_a_computation_in_a_process(path):
    with isolate.open(path, "process", timeout_s=60) as library:
        stop = library.function("stopped_by_timer", c_int, [c_int])
        assert [stop(20), stop(20)] == [1, 1]


def test_a_signal_ends_a_library_s_process(path):
    with isolate.open(path, "process", timeout_s=60) as library:
        assert library.process_id is not None
        os.kill(library.process_id, signal.SIGTERM)
        with pytest.raises(ch.ProcessError, match="SIGTERM"):
            library.function("argument_count", c_int)()


HANDLERS = """
import os, signal, sys, threading
from ctypes import c_int
from chiphost import isolate
# Handlers that are installed after the library was opened are still the program's alone.
library = isolate.open(sys.argv[1], sys.argv[2])
ran_on = []
signal.signal(signal.SIGUSR1, lambda number, frame: ran_on.append(threading.get_native_id()))
count = library.function("argument_count", c_int)
for _ in range(200):
    os.kill(os.getpid(), signal.SIGUSR1)
    count()
for task in os.listdir("/proc/self/task"):
    status = open(f"/proc/self/task/{task}/status").read()
    name, mask = (line.split()[1] for line in status.splitlines() if line.startswith(("Name:", "SigBlk:")))
    if name.startswith("chiphost"):
        assert int(mask, 16) & 1 << (signal.SIGUSR1 - 1), (name, mask)
assert ran_on
"""


@pytest.mark.parametrize("strategy", ["namespace", "copy"])
def test_handlers_of_the_program_never_run_on_a_library_s_thread(path, strategy):
    subprocess.run([sys.executable, "-c", HANDLERS, str(path), strategy], timeout=120, check=True)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_constructors_are_given_what_the_program_was_given(path, strategy):
    with isolate.open(path, strategy, timeout_s=60) as library:
        process = library.process_id or os.getpid()
        arguments = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")[:-1]
        argument = library.function("argument", c_char_p, [c_int])
        assert [argument(i) for i in range(library.function("argument_count", c_int)())] == arguments
        assert library.function("environment_is_followed_by_null", c_int)() == 1
        assert library.function("page_bytes", c_int)() == os.sysconf("SC_PAGESIZE")


@cache
def constructed_callable() -> ch.ChipCallable:
    return ch.compile(
        FOLDER / "one_task.cpp",
        [ch.Kernel(0, FOLDER / "constructed_kernel.cpp", "aiv")],
        signature=[ch.Out("out", "int32", (1,)), ch.Scalar("what", "uint64")],
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_constructors_of_kernels_are_given_what_the_program_was_given(strategy):
    out = np.zeros(1, np.int32)
    with ch.ChipWorker(RUNTIME, isolation=strategy) as worker:
        worker.run(constructed_callable(), [out, 0])
    assert out[0] == os.sysconf("SC_PAGESIZE")

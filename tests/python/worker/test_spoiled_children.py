# SPDX-License-Identifier: Apache-2.0
"""isolation="process": changes that code makes to its process are gone with it. No other worker gets that process."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from callables import FOLDER, RUNTIME, chain, run_graph
from throwaway_scenes import write_scenes

import chiphost as ch

OTHER_RUNTIME = "tensormap_and_ringbuffer"
DEEDS = {
    "limits": "const rlimit none{0, 0}; setrlimit(RLIMIT_NOFILE, &none); setrlimit(RLIMIT_FSIZE, &none);"
    "setrlimit(RLIMIT_NPROC, &none); setrlimit(RLIMIT_MEMLOCK, &none); setrlimit(RLIMIT_CORE, &none);",
    "memory": "const rlimit little{1 << 20, 1 << 20}; setrlimit(RLIMIT_AS, &little); setrlimit(RLIMIT_DATA, &little);",
    "folder": 'chdir("/proc"); umask(0777);',
    "root": 'unshare(CLONE_FS | CLONE_FILES); chroot("/proc");',
    "environment": 'setenv("TMPDIR", "/nowhere", 1); setenv("MALLOC_ARENA_MAX", "x", 1); setenv("PATH", "", 1);',
    "no environment": "clearenv();",
    "handlers": "for (int n = 1; n < 65; ++n) signal(n, SIG_IGN);",
    "blocked signals": "sigset_t all; sigfillset(&all); sigprocmask(SIG_BLOCK, &all, nullptr);",
    "descriptors": "for (int n = 0; n < 200; ++n) dup(1); close(0); close(2);",
    "all descriptors": "for (int n = 0; n < 1024; ++n) close(n);",
    "user": "setresgid(65534, 65534, 65534); setresuid(65534, 65534, 65534);",
    "priority": "setpriority(PRIO_PROCESS, 0, 19); cpu_set_t one; CPU_ZERO(&one); CPU_SET(0, &one);"
    "sched_setaffinity(0, sizeof one, &one);",
    "process": "prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); setsid();"
    "prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); mlockall(MCL_CURRENT | MCL_FUTURE);",
    "seccomp": "prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);"
    "sock_filter rules[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 1),"
    "BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};"
    "const sock_fprog filter{4, rules}; prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);",
    "timer": "const itimerval soon{{0, 1000}, {0, 1000}}; setitimer(ITIMER_REAL, &soon, nullptr);",
    "threads": "for (int n = 0; n < 3; ++n) std::thread([] { for (;;) pause(); }).detach();",
    "ends": "_exit(1);",
}
MAY_END_THEIR_PROCESS = ("all descriptors", "ends", "memory", "seccomp", "timer")
KERNEL = """
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include <thread>
#include <chiphost/kernel.h>
extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {
    switch (args[1]) {
%s
    }
    *chiphost::pointer_arg<int32_t>(args, 0) = 42;
}
"""
STATE = """
#include <initializer_list>
#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <stdlib.h>
#include <stdint.h>
#include <chiphost/kernel.h>
static int64_t entries(const char* path) {
    int64_t count = 0;
    if (DIR* folder = opendir(path)) {
        while (readdir(folder)) ++count;
        closedir(folder);
    }
    return count;
}
extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {
    auto* out = chiphost::pointer_arg<int64_t>(args, 0);
    for (int which = 0; which < 16; ++which) {
        rlimit limit{};
        getrlimit(static_cast<__rlimit_resource>(which), &limit);
        *out++ = static_cast<int64_t>(limit.rlim_cur);
    }
    struct stat here{};
    stat(".", &here);
    *out++ = static_cast<int64_t>(here.st_ino);
    const mode_t mask = umask(022);
    umask(mask);
    *out++ = mask;
    for (const char* name : {"TMPDIR", "MALLOC_ARENA_MAX", "PATH", "HOME"}) {
        const char* value = getenv(name);
        *out++ = value ? static_cast<int64_t>(strlen(value)) : -1;
    }
    int64_t ignored = 0;
    for (int number = 1; number < 32; ++number) {
        struct sigaction action{};
        sigaction(number, nullptr, &action);
        ignored += action.sa_handler == SIG_IGN;
    }
    *out++ = ignored;
    *out++ = entries("/proc/self/fd");
    *out++ = entries("/proc/self/task");
    *out++ = getuid();
    *out++ = getpriority(PRIO_PROCESS, 0);
    *out++ = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    *out++ = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
}
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spoil")
    cases = "\n".join(f"    case {number}: {{ {deed} }} break;" for number, deed in enumerate(DEEDS.values()))
    (folder / "spoil.cpp").write_text(KERNEL % cases)
    (folder / "state.cpp").write_text(STATE)
    return folder


@pytest.fixture(scope="module")
def spoil(sources: Path) -> ch.ChipCallable:
    """Does a deed, and then writes 42: (out, number of the deed)."""
    return ch.compile(
        FOLDER / "one_task.cpp",
        [ch.Kernel(0, sources / "spoil.cpp", "aiv")],
        signature=[ch.Out("out", "int32", (1,)), ch.Scalar("deed", "uint64")],
    )


@pytest.fixture(scope="module")
def state(sources: Path) -> ch.ChipCallable:
    """The state of its process that a kernel sees: (out,)."""
    return ch.compile(
        FOLDER / "one_task.cpp",
        [ch.Kernel(0, sources / "state.cpp", "aiv")],
        signature=[ch.Out("out", "int64", (64,)), ch.Scalar("unused", "uint64")],
    )


def state_of(state: ch.ChipCallable, worker: ch.ChipWorker) -> list[int]:
    out = np.zeros(64, np.int64)
    worker.run(state, [out, 0])
    return out.tolist()


@pytest.mark.parametrize("deed", DEEDS)
def test_nobody_is_given_a_spoiled_process(spoil: ch.ChipCallable, state: ch.ChipCallable, deed: str) -> None:
    with ch.ChipWorker(RUNTIME, isolation="process") as worker:
        expected = state_of(state, worker)
    for _ in range(2):
        with ch.ChipWorker(RUNTIME, isolation="process") as worker:
            out = np.zeros(1, np.int32)
            process = worker.process_id
            ends = contextlib.suppress(ch.ProcessError) if deed in MAY_END_THEIR_PROCESS else contextlib.nullcontext()
            with ends:
                worker.run(spoil, [out, list(DEEDS).index(deed)])
            with ends:
                worker.reset()
            worker.init(RUNTIME, isolation="process")
            assert worker.process_id != process
            assert state_of(state, worker) == expected
        with ch.ChipWorker(RUNTIME, isolation="process") as worker:
            assert worker.process_id != process
            run_graph(worker, *chain(30))
            assert state_of(state, worker) == expected
        with ch.ChipWorker(OTHER_RUNTIME, isolation="process") as worker:
            assert worker.process_id != process
            assert worker.counts()["libraries"] > 0


def test_a_process_in_which_nothing_has_run_is_used_again() -> None:
    with ch.ChipWorker(RUNTIME, isolation="process") as worker:
        process = worker.process_id
        for _ in range(3):
            worker.reset()
            worker.init(RUNTIME, isolation="process")
            assert worker.process_id == process
        run_graph(worker, *chain(3))
        worker.reset()
        worker.init(RUNTIME, isolation="process")
        assert worker.process_id != process


def test_a_process_has_the_environment_of_the_moment(
    state: ch.ChipCallable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """This also holds for a process that was prepared before."""
    with ch.ChipWorker(RUNTIME, isolation="process") as worker:
        for round in range(5):
            monkeypatch.setenv("HOME", "x" * (100 + round))
            folder = tmp_path / str(round)
            folder.mkdir()
            monkeypatch.chdir(folder)
            worker.reset()
            worker.init(RUNTIME, isolation="process")
            found = state_of(state, worker)
            assert found[16] == folder.stat().st_ino
            assert found[21] == 100 + round


@pytest.mark.parametrize("mode", [[], ["--parallel"]], ids=["serial", "parallel"])
@pytest.mark.parametrize(
    "deed",
    [
        "const rlimit none{0, 0}; setrlimit(RLIMIT_NOFILE, &none); setrlimit(RLIMIT_NPROC, &none);",
        'chdir("/proc"); umask(0777); clearenv();',
        "if (fork() == 0) {}",
        "std::thread([] { for (;;) pause(); }).detach();",
    ],
    ids=["limits", "folder", "fork", "thread"],
)
def test_a_scene_that_spoils_its_process_spoils_no_other(tmp_path: Path, mode: list[str], deed: str) -> None:
    scenes = write_scenes(tmp_path, a="passes", b="passes", c="passes", d="passes", e="passes")
    kernel = scenes / RUNTIME / "b" / "kernel.cpp"
    headers = "#include <stdlib.h>\n#include <sys/resource.h>\n#include <sys/stat.h>\n#include <thread>\n"
    kernel.write_text(headers + kernel.read_text().replace("// fault", deed))
    command = ["ci", "-p", "a2a3sim", "--isolation", "process", "--scenes", str(scenes), *mode]
    done = subprocess.run([sys.executable, "-m", "chiphost", *command], capture_output=True, text=True, timeout=250)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "Total: 5  Passed: 5  Failed: 0"), done.stdout

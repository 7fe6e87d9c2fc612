# SPDX-License-Identifier: Apache-2.0
"""Systems that refuse calls that chiphost would like to use, or show them differently: it finds a way, or says so."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import signal
import subprocess
import sys
from ctypes import c_int
from pathlib import Path

import c_libraries
import pytest
from checkout import SUPPORT
from throwaway_scenes import warm_cache, write_scenes

from chiphost import isolate
from chiphost._runtimes import runtimes
from chiphost.errors import ProcessError

TIMEOUT_S = 120
STRATEGIES = ("namespace", "copy", "process")
each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)
PROGRAM = [sys.executable, "-m", "chiphost"]
GRAPHS = ["ci", "-p", "a2a3sim", "-k", "vector_example"]
PASSED = "Total: 3  Passed: 3  Failed: 0"
NUMBERS = {
    "x86_64": {"memfd_create": 319, "statx": 332},
    "aarch64": {"memfd_create": 279, "statx": 291},
}.get(platform.machine(), {}) | {"pidfd_send_signal": 424, "pidfd_open": 434, "close_range": 436}
# Lets the kernel answer system calls with an error, then becomes another program.
REFUSE = """
import ctypes, os, struct, sys
error, numbers, words = int(sys.argv[1]), list(map(int, sys.argv[2].split(","))), sys.argv[3:]
load, equal, answer = 0x20, 0x15, 0x06  # of BPF
code = [struct.pack("HBBI", load, 0, 0, 0)]
for number in numbers:
    code += [struct.pack("HBBI", equal, 0, 1, number), struct.pack("HBBI", answer, 0, 0, 0x00050000 | error)]
code.append(struct.pack("HBBI", answer, 0, 0, 0x7FFF0000))
text = ctypes.create_string_buffer(b"".join(code))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(text)))
libc = ctypes.CDLL(None, use_errno=True)
set_no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
if libc.prctl(set_no_new_privileges, 1, 0, 0, 0) or libc.prctl(set_seccomp, filter_mode, program):
    raise SystemExit(77)
os.execv(words[0], words)
"""


def finish(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=environment)


def refusing(error: int, calls: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    missing = set(calls.split()) - set(NUMBERS)
    if missing:
        pytest.skip(f"the numbers of {missing} are not known for {platform.machine()}")
    numbers = ",".join(str(NUMBERS[call]) for call in calls.split())
    done = finish([sys.executable, "-c", REFUSE, str(error), numbers, *PROGRAM, *map(str, words)])
    if done.returncode == 77:
        pytest.skip("this kernel, or a container, takes no filter of system calls")
    return done


# System calls that a container's filter, or an old kernel, refuses


@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS], ids=errno.errorcode.get)
@pytest.mark.parametrize(
    ("calls", "strategy"),
    [
        *(("memfd_create", strategy) for strategy in STRATEGIES),
        ("pidfd_open", "process"),
        ("close_range", "process"),
        *(("memfd_create pidfd_open pidfd_send_signal close_range statx", strategy) for strategy in STRATEGIES),
    ],
)
def test_a_system_call_that_is_refused_keeps_nothing_from_running(error: int, calls: str, strategy: str) -> None:
    done = refusing(error, calls, *GRAPHS, "--isolation", strategy)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, [PASSED]), done.stdout + done.stderr


@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS], ids=errno.errorcode.get)
@pytest.mark.parametrize("calls", ["pidfd_open", "pidfd_send_signal", "pidfd_open pidfd_send_signal"])
def test_a_child_that_hangs_is_killed_without_the_call(tmp_path: Path, error: int, calls: str) -> None:
    scenes = write_scenes(tmp_path / "scenes", "hangs")
    warm_cache(scenes)
    words = ["run", "hangs", "--scenes", scenes, "--isolation", "process", "--timeout", "1"]
    done = refusing(error, calls, *words)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "DEADLINE_EXCEEDED" in done.stdout


# /proc


def within(prepare: str, *options: str) -> list[str]:
    """The beginning of a command that runs in another namespace of the system; skips where that is not allowed."""
    for how in (["unshare", *options], ["unshare", "--map-root-user", *options]):
        command = [*how, "sh", "-c", f'{prepare} exec "$@"', "sh"]
        if shutil.which("unshare") and finish([*command, "true"]).returncode == 0:
            return command
    pytest.skip("this user may not make namespaces of the system, or unshare (util-linux) is missing")


@each_strategy
def test_without_proc(strategy: str) -> None:
    command = within("mount -t tmpfs none /proc &&", "--mount")
    done = finish([*command, *PROGRAM, *GRAPHS, "--isolation", strategy])
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, [PASSED]), done.stdout + done.stderr


@each_strategy
def test_with_the_proc_of_another_system_of_processes(strategy: str) -> None:
    done = finish([*within("", "--pid", "--fork"), *PROGRAM, *GRAPHS, "--isolation", strategy])
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, [PASSED]), done.stdout + done.stderr


# Paths in which the dynamic loader would put something in

TOKENS = ("$LIB", "${ORIGIN}", "$PLATFORM", "$ORIGIN", "${LIB} $x$", "plain")


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("token", TOKENS)
def test_a_library_in_a_folder_whose_name_has_a_dollar(tmp_path: Path, token: str, strategy: str) -> None:
    folder = tmp_path / token / "inner"
    folder.mkdir(parents=True)
    for index, name in enumerate(("one.so", f"{token}.so"), 1):
        path = c_libraries.build(f'extern "C" int ask() {{ return {index}; }}', folder / name)
        with isolate.open(path, strategy) as library:
            assert library.function("ask", c_int)() == index


@pytest.mark.parametrize("strategy", ["namespace", "process"])
@pytest.mark.parametrize("token", TOKENS)
def test_its_dependencies_are_found_beside_it(tmp_path: Path, token: str, strategy: str) -> None:
    folder = tmp_path / token
    folder.mkdir()
    c_libraries.build('extern "C" int answer() { return 42; }', folder / "libneeded.so")
    source = 'extern "C" int answer();\nextern "C" int ask() { return answer(); }'
    options = (f"-L{folder}", "-Wl,--no-as-needed", "-lneeded", "-Wl,-rpath,$ORIGIN")
    with isolate.open(c_libraries.build(source, folder / "user.so", *options), strategy) as library:
        assert library.function("ask", c_int)() == 42


@each_strategy
@pytest.mark.parametrize("token", ["$LIB", "${ORIGIN}"])
def test_runtimes_in_a_folder_whose_name_has_a_dollar(tmp_path: Path, token: str, strategy: str) -> None:
    folder = tmp_path / token
    shutil.copytree(runtimes.library_dir(), folder)
    done = finish([*PROGRAM, *GRAPHS, "--isolation", strategy], CHIPHOST_LIB_DIR=str(folder))
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, [PASSED]), done.stdout + done.stderr


@pytest.mark.parametrize("name", ["n" * 300, "missing", "$LIB"])
def test_folders_of_further_runtimes_that_are_none_are_passed_over(tmp_path: Path, name: str) -> None:
    done = finish([*PROGRAM, *GRAPHS], CHIPHOST_RUNTIME_PATH=str(tmp_path / name))
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, [PASSED]), done.stdout + done.stderr


# The folder for temporary files


@each_strategy
@pytest.mark.parametrize("name", ["missing", "$LIB", "file", "readable only"])
def test_a_folder_for_temporary_files_that_is_of_no_use(tmp_path: Path, name: str, strategy: str) -> None:
    folder = tmp_path / name
    if name == "file":
        folder.touch()
    elif name != "missing":
        folder.mkdir()
    if name == "readable only":
        folder.chmod(0o500)  # which does not keep root from writing
    done = finish([*PROGRAM, *GRAPHS, "--isolation", strategy], TMPDIR=str(folder))
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, [PASSED]), done.stdout + done.stderr


@each_strategy
def test_a_relative_folder_for_temporary_files_is_that_of_the_start(tmp_path: Path, strategy: str) -> None:
    program = """
import os, sys
import chiphost as ch
from device_programs import good_program, run_program
with ch.ChipWorker("tensormap_and_ringbuffer", "a2a3sim", isolation=sys.argv[1]) as worker:
    program = good_program("tensormap_and_ringbuffer")
    os.chdir(sys.argv[2])
    run_program(worker, program)
"""
    for name in ("start/relative", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-c", program, strategy, str(tmp_path / "elsewhere")],
        cwd=tmp_path / "start",
        env={**os.environ, "TMPDIR": "relative", "PYTHONPATH": str(SUPPORT)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list((tmp_path / "start/relative").iterdir())
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_child_whose_status_is_lost_says_so(tmp_path: Path) -> None:
    path = c_libraries.build('#include <signal.h>\nextern "C" void crash() { raise(SIGSEGV); }', tmp_path / "crash.so")
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with isolate.open(path, "process") as library, pytest.raises(ProcessError, match="ignores SIGCHLD"):
            library.function("crash")()
    finally:
        signal.signal(signal.SIGCHLD, before)

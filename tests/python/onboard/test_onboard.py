# SPDX-License-Identifier: Apache-2.0
"""Real chips: the host side with a stand-in for the vendor's software, and the errors where there is no chip.

The stand-in is tests/onboard. The device programs are those of a real chip, built for this processor; kernels go
through a stand-in for ccec.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import c_libraries
import callables
import numpy as np
import pytest
from checkout import ROOT
from click.testing import CliRunner
from cmake_tools import BUILD_S, ninja, run, tool
from device_faults import device_misbehave
from device_programs import good_program, run_program

import chiphost as ch
from chiphost._cli.program import cli
from chiphost._compiling import chip_toolchain as device_toolchain
from chiphost._compiling import host_toolchain, output
from chiphost._machine import chips
from chiphost._runtimes import runtimes

SCENES = {"a2a3": (25, 0), "a5": (24, 1)}  # that run, and that are for the other chip only
DEVICE_RUNTIME = "tensormap_and_ringbuffer"

pytestmark = pytest.mark.timeout(BUILD_S + 300)  # with the stand-in, which is built first


@pytest.fixture(scope="session")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stand-in, built."""
    build = tmp_path_factory.mktemp("standin")
    options = ("-DCHIPHOST_STANDIN=ON", "-DCMAKE_BUILD_TYPE=Release", "-DCHIPHOST_AICPU_CXX=", *ninja())
    run(tool("cmake"), "-S", ROOT, "-B", build, *options)
    run(tool("cmake"), "--build", build, "--target", "standin", "--parallel", "2")
    return build / "standin"


def variables(standin: Path, platform: str) -> dict[str, str]:
    return {
        "ASCEND_HOME_PATH": str(standin / platform),
        "CHIPHOST_LIB_DIR": str(standin / "lib"),
        "CHIPHOST_AICPU_CXX": c_libraries.compiler(),
    }


@pytest.fixture
def chip(standin: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A chip in this process; its platform."""
    for name, value in variables(standin, "a2a3").items():
        monkeypatch.setenv(name, value)
    return "a2a3"


@pytest.fixture
def no_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in device_toolchain.sdk_variables():
        monkeypatch.delenv(name, raising=False)


def chiphost(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "chiphost", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("platform", SCENES)
def test_all_scenes_pass_with_a_stand_in(standin: Path, platform: str, scenes_root: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = chiphost("ci", "-p", platform, "--scenes", scenes_root, "--json", report, **variables(standin, platform))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text())
    assert (found["passed"], found["skipped"], found["failed"]) == (*SCENES[platform], 0)


@pytest.mark.parametrize("platform", runtimes.real_chips())
def test_the_conformance_suite_passes_with_a_stand_in(standin: Path, platform: str, tmp_path: Path) -> None:
    """The suite's kernels and orchestrations are compiled as users' are. Its list names what a chip cannot do."""
    report = tmp_path / "report.json"
    done = chiphost("conform", "-p", platform, "--json", report, **variables(standin, platform))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text())
    assert (found["failed"], found["listed"]) == (0, 8)
    assert found["passed"] > 55


@pytest.mark.parametrize("isolation", ["process", "copy"])  # copies: several workers of one process share the chip
def test_scenes_pass_side_by_side(standin: Path, scenes_root: Path, isolation: str) -> None:
    words = ("ci", "-p", "a2a3", "--scenes", scenes_root, "-k", "vector_example", "--isolation", isolation)
    done = chiphost(*words, "--parallel", **variables(standin, "a2a3"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Total: 3  Passed: 3  Failed: 0" in done.stdout


@pytest.mark.parametrize(
    "call", ["aclInit", "aclrtSetDevice", "aclrtCreateStream", "rtRegisterAllKernel", "rtAicpuKernelLaunchExWithArgs"]
)
def test_errors_of_the_vendor_come_with_code_and_words(chip: str, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setenv("CHIPHOST_STANDIN_FAIL", f"{call}=507899")
    with pytest.raises(ch.ChiphostError, match=f"{call} returned 507899: EZ9999: planted in {call}") as caught:
        ch.ChipWorker(callables.RUNTIME, chip)
    assert caught.value.name == "PLATFORM_FAILED"
    monkeypatch.delenv("CHIPHOST_STANDIN_FAIL")
    with ch.ChipWorker(callables.RUNTIME, chip) as worker:
        callables.run_graph(worker, *callables.chain(20))


def test_a_launch_that_fails_leaves_the_worker_usable(chip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with ch.ChipWorker(callables.RUNTIME, chip) as worker:
        # The last call happens when the cores are waiting already.
        for call in ("aclrtMalloc", "aclrtMemcpy", "rtKernelLaunchWithHandleV2", "rtAicpuKernelLaunchExWithArgs"):
            monkeypatch.setenv("CHIPHOST_STANDIN_FAIL", f"{call}=507899")
            with pytest.raises(ch.ChiphostError, match=f"{call} returned 507899"):
                callables.run_graph(worker, *callables.chain(5))
            monkeypatch.delenv("CHIPHOST_STANDIN_FAIL")
            callables.run_graph(worker, *callables.chain(20), block_dim=24, aicpu_thread_num=4)


WAIT = "aclrtSynchronizeStreamWithTimeout"


def run_good(worker: ch.ChipWorker, runtime: str) -> None:
    if runtime == DEVICE_RUNTIME:
        run_program(worker, good_program(runtime))
    else:
        callables.run_graph(worker, *callables.chain(20))


@contextmanager
def programs_held_and_not_waited_for(folder: Path) -> Iterator[None]:
    """Hold programs that are started on the stand-in at their beginning, so that no wait for them succeeds.

    They go on when the file `held` is gone.
    """
    (folder / "held").touch()
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv("CHIPHOST_STANDIN_HOLD", str(folder / "held"))
        variables.setenv("CHIPHOST_STANDIN_FAIL", f"{WAIT}=507899")
        yield


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A folder for programs_held_and_not_waited_for; at the end the held programs go on."""
    yield tmp_path
    (tmp_path / "held").unlink(missing_ok=True)


# The stand-in refuses a write to memory that programs use, so that none of these tests needs luck to fail.


@pytest.mark.parametrize("runtime", [callables.RUNTIME, DEVICE_RUNTIME])
def test_a_launch_that_cannot_be_waited_for_is_the_worker_s_last(chip: str, held: Path, runtime: str) -> None:
    """The launch's programs run on: nobody touches the memory they use, before they have ended or after."""
    with ch.ChipWorker(runtime, chip) as worker:
        run_good(worker, runtime)
        with programs_held_and_not_waited_for(held), pytest.raises(ch.ChiphostError, match=f"{WAIT} returned 507899"):
            run_good(worker, runtime)
        for _ in range(2):
            with pytest.raises(ch.ChiphostError, match="may still run: make a new worker"):
                run_good(worker, runtime)
    (held / "held").unlink()
    with ch.ChipWorker(runtime, chip) as worker:
        run_good(worker, runtime)


def test_a_lost_chip_is_found_before_anything_of_a_run_happens(chip: str, held: Path) -> None:
    """Neither is a new callable loaded nor its orchestration called, nor is there room for it."""
    with ch.ChipWorker(callables.RUNTIME, chip) as worker:
        with programs_held_and_not_waited_for(held), pytest.raises(ch.ChiphostError, match=WAIT):
            callables.run_graph(worker, *callables.chain(5))
        for what in (1, 8):  # an orchestration that fails, one that wants more than there is
            with pytest.raises(ch.ChiphostError, match="may still run: make a new worker"):
                worker.run(callables.misbehave(chip), [np.zeros(4, np.int32), what])


def test_what_a_program_uses_that_could_not_be_waited_for_stays(chip: str, held: Path) -> None:
    """The AICPU makes and destroys the context of a worker."""
    with programs_held_and_not_waited_for(held), pytest.raises(ch.ChiphostError, match=f"{WAIT} returned 507899"):
        ch.ChipWorker(callables.RUNTIME, chip)
    (held / "held").unlink()
    with ch.ChipWorker(callables.RUNTIME, chip) as worker:
        callables.run_graph(worker, *callables.chain(20))
        with programs_held_and_not_waited_for(held):
            worker.finalize()
    (held / "held").unlink()
    with ch.ChipWorker(callables.RUNTIME, chip) as worker:
        callables.run_graph(worker, *callables.chain(20))


def test_cores_that_come_to_their_registers_when_the_aicpu_has_left_exit(
    chip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then COND holds the value of the launch before: that they have exited."""
    with ch.ChipWorker(callables.RUNTIME, chip) as worker:
        callables.run_graph(worker, *callables.chain(20))
        monkeypatch.setenv("CHIPHOST_STANDIN_LATE", "1")
        with pytest.raises(ch.ChiphostError) as caught:
            callables.run_graph(worker, *callables.chain(20), timeout_s=1)
        assert caught.value.name == "DEADLINE_EXCEEDED"
        assert not worker.poisoned
        monkeypatch.delenv("CHIPHOST_STANDIN_LATE")
        callables.run_graph(worker, *callables.chain(20))


def test_faults_of_a_run_are_those_of_the_simulated_chip(chip: str) -> None:
    with ch.ChipWorker(callables.RUNTIME, chip) as worker:
        for what, name in ((1, "ORCHESTRATION_FAILED"), (8, "DEVICE_MEMORY_EXHAUSTED"), (9, "KERNEL_THREW")):
            with pytest.raises(ch.ChiphostError) as caught:
                worker.run(callables.misbehave(chip), [np.zeros(4, np.int32), what])
            assert caught.value.name == name
        callables.run_graph(worker, *callables.chain(20))
        with pytest.raises(ch.ChiphostError, match="only a simulated chip can be traced"):
            callables.run_graph(worker, *callables.chain(2), trace=True)


def test_a_launch_without_progress_ends_at_the_deadline(chip: str) -> None:
    """The orchestration waits for a slot that no task will give back; the cores are idle."""
    with ch.ChipWorker(DEVICE_RUNTIME, chip) as worker:
        text = np.frombuffer(b"many tasks", np.uint8)
        with pytest.raises(ch.ChiphostError, match="have 4 tasks, the ring has 4 slots") as caught:
            args = [np.full(64, 5, np.int32), text]
            worker.run(device_misbehave(chip), args, ring_task_window=4, timeout_s=1)
        assert caught.value.name == "SCOPE_DEADLOCK"  # the finding when the launch was told to end
        assert not worker.poisoned
        run_program(worker, good_program(DEVICE_RUNTIME))


def test_the_default_isolation_is_a_copy(chip: str) -> None:
    with ch.ChipWorker(callables.RUNTIME, chip) as worker:
        assert (worker.isolation, worker.platform) == ("copy", chip)
        assert worker.isolation_reason == "the default: the chip vendor's software is one for the process"


def test_an_edited_stand_in_for_ccec_is_taken(standin: Path) -> None:
    """The stand-in is a file of the build, and not only copied when something else is built."""
    made_of = run(tool("ninja"), "-C", standin.parent, "-t", "query", "standin/a2a3/bin/ccec")
    assert str(ROOT / "tests" / "onboard" / "ccec") in made_of


# where there is none


def test_without_a_chip_ci_says_what_is_missing_and_where_it_looked(no_chip: None) -> None:
    result = CliRunner().invoke(cli, ["ci", "-p", "a2a3"], prog_name="chiphost")
    assert result.exit_code == 2
    assert "PLATFORM_FAILED" in result.stderr
    for words in ("libascendcl.so, libruntime.so, libascend_hal.so", "ASCEND_HOME_PATH", "LD_LIBRARY_PATH"):
        assert words in result.stderr


def test_without_a_chip_conform_says_the_same(no_chip: None) -> None:
    result = CliRunner().invoke(cli, ["conform", "-p", "a2a3", "-k", "memory."], prog_name="chiphost")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "PLATFORM_FAILED" in result.stderr
    assert "libascendcl.so, libruntime.so, libascend_hal.so" in result.stderr
    result = CliRunner().invoke(cli, ["conform", "-p", "a2a3", "--list"], prog_name="chiphost")
    assert (result.exit_code, "memory.aligned" in result.stdout) == (0, True)


def test_a_folder_that_nobody_may_look_into_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("/proc/self/mem", str(tmp_path / "forbidden")):
        monkeypatch.setenv("ASCEND_HOME_PATH", folder)
        (tmp_path / "forbidden").mkdir(mode=0, exist_ok=True)
        result = CliRunner().invoke(cli, ["ci", "-p", "a2a3"], prog_name="chiphost")
        assert result.exit_code == 2
        assert f"looked in {folder}/lib64 (ASCEND_HOME_PATH)" in result.stderr


@pytest.mark.parametrize("variable", device_toolchain.sdk_variables())
@pytest.mark.parametrize("isolation", ["copy", "process"])
def test_a_folder_without_the_libraries_is_named_with_the_variable_that_names_it(
    no_chip: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, isolation: str
) -> None:
    monkeypatch.setenv("ASCEND_HOME_PATH", "")  # counts as unset
    monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(ch.ChiphostError, match=r"libascendcl\.so") as caught:
        ch.ChipWorker(callables.RUNTIME, "a5", isolation=isolation)
    assert f"{tmp_path}/lib64 ({variable})" in caught.value.message


def test_a_library_of_another_version_is_told_what_it_lacks(standin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The C library stands for one that has none of the calls."""
    folder = standin.parent / "old" / "lib64"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("libascendcl.so", "libruntime.so", "libascend_hal.so"):
        (folder / name).unlink(missing_ok=True)
    c_libraries.build("", folder / "libascendcl.so")
    for name in ("libruntime.so", "libascend_hal.so"):
        (folder / name).symlink_to(folder / "libascendcl.so")
    monkeypatch.setenv("ASCEND_HOME_PATH", str(folder.parent))
    with pytest.raises(ch.ChiphostError, match=r"of another version: no aclInit in libascendcl\.so, ") as caught:
        ch.ChipWorker(callables.RUNTIME, "a5")
    assert "halResMap in libascend_hal.so" in caught.value.message


def test_a_device_program_that_was_not_built_is_named(chip: str, standin: Path, tmp_path: Path) -> None:
    files = runtimes.find(callables.RUNTIME, chip)
    for lacks, words in (("aicpu", "a compiler for aarch64"), ("aicore", "compiler ccec")):
        there = {name: getattr(files, name) for name in ("host", "aicpu", "aicore")}
        there[lacks] = tmp_path / "none.so"
        with pytest.raises(ch.ChiphostError, match=words) as caught:
            ch.ChipWorker(runtimes.RuntimeFiles(**there), chip)
        assert caught.value.name == "FILE_UNREADABLE"


@pytest.mark.parametrize(("which", "other"), [("aicpu", "aicore"), ("aicore", "aicpu")])
def test_a_file_that_is_no_such_device_program_is_refused(chip: str, tmp_path: Path, which: str, other: str) -> None:
    """It is refused before the vendor's software gets it: that keeps the first AICPU program, right or wrong."""
    files = runtimes.find(callables.RUNTIME, chip)
    half = getattr(files, which).read_bytes()[:1000]
    for name, data in (
        ("NOT_ELF", b"text"),
        ("FILE_TRUNCATED", half),
        ("ENTRY_MISSING", getattr(files, other).read_bytes()),
    ):
        program = tmp_path / f"{name}.so"
        program.write_bytes(data)
        with pytest.raises(ch.ChiphostError, match=re.escape(str(program))) as caught:
            ch.ChipWorker(dataclasses.replace(files, **{which: program}), chip)
        assert caught.value.name == name
    with ch.ChipWorker(callables.RUNTIME, chip) as worker:
        callables.run_graph(worker, *callables.chain(5))


def test_compiling_for_a_chip_names_the_compiler_that_is_missing(no_chip: None, tmp_path: Path) -> None:
    with pytest.raises(ch.ChiphostError, match="ccec, the chip vendor's compiler") as caught:
        ch.compile(
            callables.FOLDER / "copy_tensor.cpp", [ch.Kernel(0, callables.FOLDER / "touch.cpp", "aiv")], platform="a5"
        )
    assert caught.value.name == "COMPILER_MISSING"


def test_doctor_shows_chips(chip: str) -> None:
    found = chips.look()
    assert [(each.platform, each.ok) for each in found.chips] == [("a2a3", True), ("a5", False)]
    assert "halResMap returned 3" in found.chips[1].problem  # the stand-in is another chip
    assert all(each.found for each in found.compilers)
    assert found.environment["ASCEND_HOME_PATH"] == os.environ["ASCEND_HOME_PATH"]


def test_doctor_says_what_is_missing_for_a_chip(no_chip: None) -> None:
    brief = CliRunner().invoke(cli, ["doctor"], prog_name="chiphost")
    assert brief.exit_code == 0, brief.output
    assert [line for line in brief.stdout.splitlines() if "vendor" in line or "ASCEND" in line or "PATH=" in line] == [
        "  -     a2a3, a5: the chip vendor's software is missing: libascendcl.so, libruntime.so, libascend_hal.so "
        "(what was looked for: chiphost doctor --details)"
    ]
    result = CliRunner().invoke(cli, ["doctor", "--details"], prog_name="chiphost")
    assert result.exit_code == 0, result.output
    assert result.stdout.count(f"PATH={os.environ['PATH']}") == 1
    assert result.stdout.count(os.environ["PATH"]) == 1
    for platform in runtimes.real_chips():
        assert f"{platform}: the chip vendor's software is missing: libascendcl.so" in result.stdout
    assert "ASCEND_HOME_PATH is not set, ASCEND_TOOLKIT_HOME is not set" in result.stdout


# the code of kernels

KERNEL = 'extern "C" void kernel_entry(long*) { asm volatile("nop"); }\n'


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (KERNEL, ""),
        ('extern "C" int first() { return 1; }\n' + KERNEL, "put kernel_entry [0-9]+ bytes into"),
        ('extern "C" int first() { return 1; }\n', "does not define kernel_entry"),
        (
            '__attribute__((noinline, section(".text.far"))) static void far() { asm volatile("nop"); }\n'
            'extern "C" void kernel_entry(long*) { far(); }\n',
            r"addresses for a linker to fill in, of \S*far\S*,",
        ),
        ('extern "C" { void none(); void kernel_entry(long*) { none(); none(); } }\n', "fill in, of none, and"),
        (
            "static const long table[] = {3, 1, 4, 1, 5};\n"
            'extern "C" void kernel_entry(long* data) { data[0] = table[data[0]]; }\n',
            r"addresses for a linker to fill in, of \.rodata,",
        ),
        (
            "__attribute__((noinline)) static void behind();\n"
            'extern "C" void kernel_entry(long*) { behind(); behind(); }\n'
            'void behind() { asm volatile("nop"); }\n',
            "",
        ),
    ],
)
def test_the_code_of_a_kernel_is_its_section_text(tmp_path: Path, source: str, problem: str) -> None:
    (tmp_path / "kernel.cpp").write_text(source)
    compiled = tmp_path / "kernel.o"
    options = ("-c", "-O2", "-g", "-fno-toplevel-reorder")  # debug information has relocations, too
    command = host_toolchain.find_compiler().command
    subprocess.run([*command, *options, "-o", compiled, tmp_path / "kernel.cpp"], check=True)
    if problem:
        with pytest.raises(ValueError, match=problem):
            output.kernel_code(compiled)
    else:
        code = output.kernel_code(compiled)
        assert 0 < len(code) < 64
        assert code in compiled.read_bytes()


@pytest.mark.parametrize("data", [b"", b"text", b"\x7fELF"])
def test_what_is_no_object_file_has_no_code(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "kernel.o").write_bytes(data)
    with pytest.raises(ValueError, match="no ELF object file"):
        output.kernel_code(tmp_path / "kernel.o")

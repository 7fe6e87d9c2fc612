# SPDX-License-Identifier: Apache-2.0
"""The services of a simulated core for its kernel: pauses, its own memories, memory of the cluster, the task's id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chiphost as ch

ISOLATIONS = ("namespace", "copy", "process")
TIMEOUT_S = 60

HEAD = """
#include <chiphost/kernel_services.h>
using namespace chiphost;
extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
    const KernelContext& context = kernel_context(args);
    const KernelServices& core = *kernel_services(context);
    int64_t* out = tensor_data<int64_t>(args, 0) + 4 * context.block_idx;
    const int64_t number = args[1];
    (void)core; (void)number;
"""

# This orchestration takes out, an int64 array (blocks, 4); tasks, blocks. A task is on the AIC and both AIV, or on one
# AIV.
ORCHESTRATION = """
#include <chiphost/device_graph.h>
CHIPHOST_DEVICE_ORCHESTRATION(build, graph, args) {
    for (int64_t number = 0; number < args.scalar<int64_t>(0); ++number) {
        chiphost::Task task = MIX ? chiphost::Task::mixed(0, 1, 1) : chiphost::Task(chiphost::AIV, 1);
        task.inout(args.tensor(0)).scalar(number).blocks(args.scalar<uint32_t>(1));
        graph.submit(task);
    }
    return 0;
}
"""


@pytest.fixture(params=ISOLATIONS)
def worker(request: pytest.FixtureRequest) -> Iterator[ch.ChipWorker]:
    with ch.ChipWorker("tensormap_and_ringbuffer", isolation=request.param) as made:
        yield made


def compiled(folder: Path, aiv: str, aic: str = "") -> ch.ChipCallable:
    (folder / "build.cpp").write_text(ORCHESTRATION)
    kernels = []
    for func_id, core_type, text in ((0, "aic", aic), (1, "aiv", aiv)):
        if text:
            (folder / f"{core_type}.cpp").write_text(HEAD + text + "}\n")
            kernels.append(ch.Kernel(func_id, folder / f"{core_type}.cpp", core_type))
    defines = (f"MIX={int(bool(aic))}",)
    return ch.compile(folder / "build.cpp", kernels, runtime="tensormap_and_ringbuffer", entry="build", defines=defines)


def run(worker: ch.ChipWorker, program: ch.ChipCallable, tasks: int, blocks: int, **how: Any) -> np.ndarray[Any, Any]:
    out = np.zeros((blocks, 4), np.int64)
    worker.run(program, [out, tasks, blocks], timeout_s=TIMEOUT_S, **how)
    return out


def test_a_kernel_knows_its_task(worker: ch.ChipWorker, tmp_path: Path) -> None:
    program = compiled(tmp_path, "out[number] = 100 * context.task + context.block_idx;")
    out = run(worker, program, 4, 3)
    assert out.tolist() == [[100 * task + block for task in range(4)] for block in range(3)]


def test_a_cores_own_memory(worker: ch.ChipWorker, tmp_path: Path) -> None:
    """The memory is zero in every run; within a run a kernel finds what another one on this core has left."""
    text = """
        uint64_t bytes = 0;
        auto* ub = static_cast<int64_t*>(core.local_memory(&core, LocalMemory::ub, &bytes));
        out[number] = 1000 * bytes + ++ub[bytes / 8 - 1];
        out[3] |= core.local_memory(&core, static_cast<LocalMemory>(5), &bytes) != nullptr || bytes != 0;
    """
    program = compiled(tmp_path, text)
    for _ in range(3):
        out = run(worker, program, 3, 1, block_dim=1, aicpu_thread_num=1)
        # Two AIV: the three tasks are on them in some order, one after the other.
        assert (out[0, :3] // 1000).tolist() == [192 * 1024] * 3
        assert sum(out[0, :3] % 1000) in (4, 5, 6)
        assert out[0, 3] == 0


# Each block: the AIC writes a number for the AIV, which answer it with their own, one after the other.
ASK = """
    struct Board { int64_t asked, answers[2]; };
    auto& board = *static_cast<Board*>(core.shared_memory(&core, "board", sizeof(Board)));
    out[3] |= board.asked | board.answers[0] | board.answers[1];  // zero in each block of each task
    __atomic_store_n(&board.asked, number + 1, __ATOMIC_RELEASE);
    notify_cluster(context);
    for (int64_t& answer : board.answers) {
        while (__atomic_load_n(&answer, __ATOMIC_ACQUIRE) == 0) pause_kernel(context);
        out[&answer - board.answers] += answer;
    }
"""
ANSWER = """
    struct Board { int64_t asked, answers[2]; };
    auto& board = *static_cast<Board*>(core.shared_memory(&core, "board", sizeof(Board)));
    while (__atomic_load_n(&board.asked, __ATOMIC_ACQUIRE) == 0) pause_kernel(context);
    __atomic_store_n(&board.answers[context.sub_block_id], 10 * board.asked + context.sub_block_id, __ATOMIC_RELEASE);
    notify_cluster(context);
"""


@pytest.mark.parametrize("sim_threads", [1, 2])
def test_cores_of_a_cluster_talk(worker: ch.ChipWorker, tmp_path: Path, sim_threads: int) -> None:
    program = compiled(tmp_path, ANSWER, ASK)
    for seed in range(10):
        out = run(worker, program, 3, 7, seed=seed, sim_threads=sim_threads)
        sums = [[sum(10 * number + aiv for number in (1, 2, 3)) for aiv in (0, 1)]] * 7
        assert out[:, :2].tolist() == sums, f"seed {seed}"
        assert not out[:, 3].any(), f"seed {seed}: shared memory was not zero"


def test_cores_share_also_if_none_of_them_waits(worker: ch.ChipWorker, tmp_path: Path) -> None:
    """A task that has the cluster is recognised by its shape, and one that has a core, too."""
    text = """
        auto* count = static_cast<int64_t*>(core.shared_memory(&core, "count", 8));
        __atomic_store_n(&out[context.core_type + context.sub_block_id], __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST),
                         __ATOMIC_RELAXED);
    """
    out = run(worker, compiled(tmp_path, text, text), 1, 5)
    assert [sorted(row[:3].tolist()) for row in out] == [[1, 2, 3]] * 5
    (tmp_path / "alone").mkdir()
    out = run(worker, compiled(tmp_path / "alone", text), 1, 40)
    assert out[:, 1:3].max() == 1, "two blocks on cores of one cluster shared it"


def test_a_kernel_that_does_not_say_that_it_pauses_is_told(worker: ch.ChipWorker, tmp_path: Path) -> None:
    """pause_kernel says so for its kernel."""
    program = compiled(tmp_path, "core.pause(&core);")
    with pytest.raises(ch.ChiphostError, match="does not export chiphost_kernel_hands_over") as raised:
        run(worker, program, 1, 1)
    assert (raised.value.name, raised.value.where) == ("KERNEL_THREW", "aiv")


def test_two_sizes_of_one_shared_memory(worker: ch.ChipWorker, tmp_path: Path) -> None:
    text = 'core.shared_memory(&core, "board", 64); core.shared_memory(&core, "board", 65);'
    with pytest.raises(ch.ChiphostError, match='shared memory "board": it has 64 bytes, and was asked for with 65'):
        run(worker, compiled(tmp_path, text), 1, 1)
    assert run(worker, compiled(tmp_path, "out[0] = 1;"), 1, 1)[0, 0] == 1, "the worker goes on"


def test_the_reserved_word_of_a_tensor_is_zero(worker: ch.ChipWorker, tmp_path: Path) -> None:
    """It is zero whatever the orchestration has put there: headers for other projects' sources rely on it."""
    orchestration = ORCHESTRATION.replace(
        "for (", "ch_device_tensor raw = args.tensor(0).raw();\n    raw.reserved = 7;\n    for ("
    )
    (tmp_path / "build.cpp").write_text(
        orchestration.replace("inout(args.tensor(0))", "inout(chiphost::DeviceTensor(raw))")
    )
    (tmp_path / "aiv.cpp").write_text(HEAD + "out[0] = 1 + tensor_arg(args, 0).reserved; }")
    kernels = [ch.Kernel(1, tmp_path / "aiv.cpp", "aiv")]
    program = ch.compile(
        tmp_path / "build.cpp", kernels, runtime="tensormap_and_ringbuffer", entry="build", defines=("MIX=0",)
    )
    assert run(worker, program, 1, 1)[0, 0] == 1

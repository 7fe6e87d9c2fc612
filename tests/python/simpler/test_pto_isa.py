# SPDX-License-Identifier: Apache-2.0
"""Kernels written against PTO-ISA's simulation of the instructions: on which core they are, tiles in a core's memories,
and cores of a cluster that wait for each other. pto_stand_in has what such kernels include."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkout import SUPPORT

import chiphost as ch
from chiphost._simpler import pto_isa
from chiphost._simpler.scene import ENTRY, compat_folders

RUNTIME = "tensormap_and_ringbuffer"
ISOLATIONS = ("namespace", "copy", "process")
TIMEOUT_S = 60

HEAD = """
#include <pto/pto-inst.hpp>
#include "tensor.h"
using pto::Queue, pto::Slots, pto::Tile, pto::TileType;
template <typename T>
T* data(int64_t* args, int i) {
    const Tensor* tensor = reinterpret_cast<Tensor*>(args[i]);
    return reinterpret_cast<T*>(tensor->buffer.addr) + tensor->start_offset;
}
"""

# One MIX task of `blocks` blocks and `rounds` rounds over (in, out).
ORCHESTRATION = """
#include "pto_orchestration_api.h"
extern "C" void build(const ChipStorageTaskArgs& all, int, int) {
    Tensor in = from_tensor_arg(all.tensor(0)), out = from_tensor_arg(all.tensor(1));
    for (uint64_t task = 0; task < all.scalar(0); ++task) {
        Arg args;
        args.add_input(in);
        args.add_inout(out);
        args.add_scalar(task);
        args.launch_spec.set_block_num(static_cast<int16_t>(all.scalar(1)));
        MixedKernels kernels;
        if (HAS_AIC) kernels.aic_kernel_id = 0;
        if (HAS_AIV) kernels.aiv0_kernel_id = 1;
        if (HAS_AIV == 2) kernels.aiv1_kernel_id = 1;
        pto2_rt_submit_task(kernels, args);
    }
}
"""


class Programs:
    """Compiles the programs that tests ask for, each once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: dict[tuple[object, ...], ch.ChipCallable] = {}

    def __call__(self, aic: str = "", aiv: str = "", aivs: int = 2, platform: str = "a2a3sim") -> ch.ChipCallable:
        """A program of one task per round, on the AIC if it has a kernel, and on as many AIV."""
        key = (aic, aiv, aivs, platform)
        if key not in self.made:
            folder = self.folder / str(len(self.made))
            folder.mkdir()
            self.made[key] = self._compiled(folder, *key)
        return self.made[key]

    def _compiled(self, folder: Path, aic: str, aiv: str, aivs: int, platform: str) -> ch.ChipCallable:
        orchestration = folder / "orchestration.cpp"
        orchestration.write_text(ORCHESTRATION)
        kernels = []
        for func_id, core_type, text in ((0, "aic", aic), (1, "aiv", aiv)):
            if not text:
                continue
            source = folder / f"{core_type}.cpp"
            source.write_text(HEAD + 'extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {' + text + "}\n")
            include_dirs = (*compat_folders(RUNTIME), *pto_isa.include_folders())
            kernels.append(ch.Kernel(func_id, source, core_type, include_dirs=include_dirs, flags=pto_isa.FLAGS))
        return ch.compile(
            orchestration,
            kernels,
            platform=platform,
            runtime=RUNTIME,
            entry=ENTRY,
            include_dirs=compat_folders(RUNTIME),
            defines=("CHIPHOST_SIMPLER_ENTRY=build", f"HAS_AIC={int(bool(aic))}", f"HAS_AIV={aivs if aiv else 0}"),
            flags=pto_isa.FLAGS,
        )


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PTO_ISA_ROOT", str(SUPPORT / "pto_stand_in"))
        patch.delenv("PTO_ISA_COMMIT", raising=False)
        yield Programs(tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_compilers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    monkeypatch.setenv("PTO_ISA_ROOT", str(SUPPORT / "pto_stand_in"))
    monkeypatch.setenv("CXX", compiler)
    program = Programs(tmp_path)(aic=DEAL, aiv=ADD)
    with ch.ChipWorker(RUNTIME, "a2a3sim") as worker:
        y = run(worker, program, np.zeros((5, 64), np.float32), tasks=3, blocks=5)
    assert np.array_equal(y, np.broadcast_to(np.arange(64) * 10.0 * 3, (5, 64)))


@pytest.fixture(params=ISOLATIONS)
def worker(request: pytest.FixtureRequest) -> Iterator[ch.ChipWorker]:
    with ch.ChipWorker(RUNTIME, "a2a3sim", isolation=request.param) as made:
        yield made


def run(worker: ch.ChipWorker, program: ch.ChipCallable, out: np.ndarray[Any, Any], **how: Any) -> Any:
    """The array `out` after the tasks. `tasks` and `blocks` are 1 if not named."""
    tasks, blocks = how.pop("tasks", 1), how.pop("blocks", 1)
    x = how.pop("x", np.arange(64, dtype=np.float32))
    worker.run(program, [x, out, tasks, blocks], timeout_s=TIMEOUT_S, **how)
    return out


WHO = """
    int64_t* out = data<int64_t>(args, 1) + 8 * (2 * get_block_idx() + get_subblockid());
    out[0] = get_block_idx(); out[1] = get_subblockid(); out[2] = get_subblockdim();
    out[3] = get_task_cookie(); out[4] = pto::cpu_sim::ResolveAnotherHook() != nullptr;
"""


def test_a_kernel_knows_where_it_is(worker: ch.ChipWorker, compiled: Programs) -> None:
    program = compiled(aiv=WHO)
    out = run(worker, program, np.full((6, 8), -1, np.int64), blocks=3)
    assert out[:, :5].tolist() == [[block, aiv, 2, 0, 0] for block in range(3) for aiv in range(2)]
    [aic] = run(worker, compiled(aic=WHO), np.full((1, 8), -1, np.int64), tasks=2)
    assert aic[:5].tolist() == [0, 0, 1, 1, 0], "an AIC is alone; the second task's number is 1"


# The AIC deals the rows of x to both AIV in halves, 4 rounds; each adds what it gets to its half of y.
DEAL = """
    Queue<0, Slots::in_halves, 64 * sizeof(float)> pipe;
    Tile<TileType::Acc, float, 8, 8> tile;
    pto::TASSIGN(tile, 0x100);
    for (int round = 0; round < 4; ++round) {
        for (int i = 0; i < 64; ++i) tile.data()[i] = data<float>(args, 0)[i] * (round + 1);
        pto::TPUSH(pipe, tile);
    }
"""
ADD = """
    Queue<0, Slots::in_halves, 64 * sizeof(float)> pipe;
    Tile<TileType::Vec, float, 4, 8> sum, tile;
    pto::TASSIGN(sum, 0x1000);
    pto::TASSIGN(tile, 0x2000);
    for (int i = 0; i < 32; ++i) sum.data()[i] = 0;
    for (int round = 0; round < 4; ++round) {
        pto::TPOP(pipe, tile);
        for (int i = 0; i < 32; ++i) sum.data()[i] += tile.data()[i];
    }
    float* y = data<float>(args, 1) + 64 * get_block_idx() + 32 * get_subblockid();
    for (int i = 0; i < 32; ++i) y[i] += sum.data()[i];
"""


@pytest.mark.parametrize("sim_threads", [1, 2])
def test_tiles_go_from_core_to_core(worker: ch.ChipWorker, compiled: Programs, sim_threads: int) -> None:
    """A sum lies in UB while its AIV waits: no other core may have that memory meanwhile."""
    program = compiled(aic=DEAL, aiv=ADD)
    for seed in range(12):
        y = run(worker, program, np.zeros((5, 64), np.float32), tasks=3, blocks=5, seed=seed, sim_threads=sim_threads)
        assert np.array_equal(y, np.broadcast_to(np.arange(64) * 10.0 * 3, (5, 64))), f"seed {seed}"


@pytest.mark.parametrize(
    ("slots", "from_aic"), [("shared", True), ("in_ub", True), ("shared", False), ("in_l1", False)]
)
@pytest.mark.parametrize("sim_threads", [1, 2])
def test_slots_may_lie_in_the_consumers_memory(
    worker: ch.ChipWorker, compiled: Programs, slots: str, from_aic: bool, sim_threads: int
) -> None:
    pipe = f"Queue<3, Slots::{slots}, 64 * sizeof(float), 3> pipe;"
    push = f"""
        {pipe}
        Tile<TileType::Bias, float, 8, 8> tile;
        pto::TASSIGN(tile, 0);
        for (int round = 0; round < 10; ++round) {{
            for (int i = 0; i < 64; ++i) tile.data()[i] = data<float>(args, 0)[i] + round;
            pto::TPUSH(pipe, tile);
        }}
    """
    pop = f"""
        {pipe}
        Tile<TileType::Bias, float, 8, 8> tile;
        pto::TASSIGN(tile, 0);
        for (int round = 0; round < 10; ++round) {{
            pto::TPOP(pipe, tile);
            for (int i = 0; i < 64; ++i) data<float>(args, 1)[64 * get_block_idx() + i] += tile.data()[i];
        }}
    """
    program = compiled(aic=push if from_aic else pop, aiv=pop if from_aic else push, aivs=1)
    for seed in range(5):
        y = run(worker, program, np.zeros((9, 64), np.float32), blocks=9, seed=seed, sim_threads=sim_threads)
        assert np.array_equal(y, np.broadcast_to(np.arange(64) * 10.0 + 45, (9, 64))), f"seed {seed}"


@pytest.mark.parametrize("slots", ["shared", "in_ub"])
def test_two_pipes_may_have_slots_at_one_place(compiled: Programs, slots: str) -> None:
    """Each AIV has a UB of its own, so offsets may be equal."""
    pipes = [f"Queue<{aiv}, Slots::{slots}, 64 * sizeof(float), 1> to_{aiv};" for aiv in range(2)]
    push = f"""
        {pipes[0]} {pipes[1]}
        Tile<TileType::Acc, float, 8, 8> tile;
        pto::TASSIGN(tile, 0);
        for (int round = 0; round < 4; ++round) {{
            for (int i = 0; i < 64; ++i) tile.data()[i] = 1;
            pto::TPUSH(to_0, tile);
            for (int i = 0; i < 64; ++i) tile.data()[i] = 2;
            pto::TPUSH(to_1, tile);
        }}
    """
    pop = f"""
        {pipes[0]} {pipes[1]}
        Tile<TileType::Vec, float, 8, 8> tile;
        pto::TASSIGN(tile, 0x8000);
        for (int round = 0; round < 4; ++round) {{
            if (get_subblockid() == 0) pto::TPOP(to_0, tile); else pto::TPOP(to_1, tile);
            data<float>(args, 1)[get_subblockid()] += tile.data()[5];
        }}
    """
    program = compiled(aic=push, aiv=pop)
    with ch.ChipWorker(RUNTIME, "a2a3sim") as worker:
        for seed in range(12):
            assert run(worker, program, np.zeros(2, np.float32), seed=seed).tolist() == [4, 8], f"seed {seed}"


def test_a_thread_of_a_kernels_own_is_on_no_core(compiled: Programs) -> None:
    text = """
        int64_t* out = data<int64_t>(args, 1);
        std::thread([out] {
            try { get_block_idx(); } catch (const std::exception& error) { out[0] = std::strlen(error.what()); }
        }).join();
    """
    program = compiled(aiv=text, aivs=1)
    with ch.ChipWorker(RUNTIME, "a2a3sim") as worker:
        out = run(worker, program, np.zeros(1, np.int64))
    assert out[0] == len("a core was asked for on a thread that runs no kernel")


def test_what_nobody_pushes_ends_the_run(worker: ch.ChipWorker, compiled: Programs) -> None:
    program = compiled(aic="(void)args;", aiv=ADD)
    for _ in range(2):
        with pytest.raises(ch.ChiphostError, match=r"core .* has not finished kernel `.*` of submit #0") as raised:
            run(worker, program, np.zeros((1, 64), np.float32))
        assert raised.value.name == "STALLED"
    fine = run(worker, compiled(aic=DEAL, aiv=ADD), np.zeros((1, 64), np.float32))
    assert fine[0, 1] == 10


@pytest.mark.parametrize(
    ("tile", "offset", "words"),
    [
        ("TileType::Vec, float, 8, 8", 192 * 1024 - 255, "256 bytes at 0x2ff01 of UB, which has 0x30000 bytes"),
        ("TileType::Mat, float, 512, 512", 0, "1048576 bytes at 0x0 of L1, which has 0x80000 bytes"),
        ("TileType::Left, float, 8, 8", -8, "256 bytes at 0xfffffffffffffff8 of L0A"),
        ("TileType::Right, float, 8, 8", 65536, "256 bytes at 0x10000 of L0B, which has 0x10000 bytes"),
        ("TileType::Acc, float, 8, 8", 2**17 - 128, "256 bytes at 0x1ff80 of L0C, which has 0x20000 bytes"),
    ],
)
def test_a_tile_must_lie_in_its_memory(compiled: Programs, tile: str, offset: int, words: str) -> None:
    program = compiled(aic=f"(void)args; Tile<{tile}> tile; pto::TASSIGN(tile, {offset});")
    with ch.ChipWorker(RUNTIME, "a2a3sim") as worker, pytest.raises(ch.ChiphostError, match=words) as raised:
        run(worker, program, np.zeros(8))
    assert raised.value.name == "KERNEL_THREW"
    assert raised.value.where == "aic"


SIZES = """
    auto& model = pto::NPUMemoryModel::Instance();
    const auto sizes = model.GetSizes();
    uint64_t* out = data<uint64_t>(args, 1);
    out[0] = sizes.ubSize; out[1] = sizes.l1Size; out[2] = sizes.l0aSize; out[3] = sizes.l0bSize;
    out[4] = sizes.l0cSize; out[5] = model.GetArch() == pto::NPUArch::A5; out[6] = model.IsInitialized();
    pto::NPU_MEMORY_INIT(model.GetArch());
    Tile<TileType::Vec, char, 8, 8> tile;
    pto::TASSIGN(tile, 64);
    out[7] = tile.data() == model.GetUBBase() + 64 && model.GetPointer<char>(pto::MemoryRegion::UB, 64) == tile.data();
    model.GetL1Base()[5] = model.GetL0ABase()[5] = model.GetL0BBase()[5] = model.GetL0CBase()[5] = 1;
    pto::NPU_MEMORY_CLEAR();
    out[8] = model.GetL1Base()[5] + model.GetL0ABase()[5] + model.GetL0BBase()[5] + model.GetL0CBase()[5];
"""


@pytest.mark.parametrize(("platform", "ub", "l0c"), [("a2a3sim", 192, 128), ("a5sim", 256, 256)])
def test_memories_are_as_large_as_the_chips(compiled: Programs, platform: str, ub: int, l0c: int) -> None:
    program = compiled(aiv=SIZES, aivs=1, platform=platform)
    with ch.ChipWorker(RUNTIME, platform) as worker:
        out = run(worker, program, np.full(9, 99, np.uint64))
    assert out.tolist() == [ub << 10, 512 << 10, 64 << 10, 64 << 10, l0c << 10, platform == "a5sim", 1, 1, 0]


def test_the_chip_decides_which_memories_there_are(compiled: Programs) -> None:
    program = compiled(aiv="(void)args; pto::NPU_MEMORY_INIT(pto::NPUArch::A5);", aivs=1)
    words = "wanted the memories of A5, the chip has those of A2A3"
    with ch.ChipWorker(RUNTIME, "a2a3sim") as worker, pytest.raises(ch.ChiphostError, match=words):
        run(worker, program, np.zeros(8))


def test_a_run_finds_nothing_of_the_one_before(worker: ch.ChipWorker, compiled: Programs) -> None:
    """But a task finds what the one before it on that core has left."""
    text = """
        Tile<TileType::Vec, float, 8, 8> tile;
        pto::TASSIGN(tile, 0x100);
        data<float>(args, 1)[args[2]] = ++tile.data()[0];
    """
    program = compiled(aiv=text, aivs=1)
    for _ in range(3):
        y = run(worker, program, np.zeros(4, np.float32), tasks=4, block_dim=1, aicpu_thread_num=1)
        assert 1 == y[0] <= y.max() <= 4


def test_two_workers_share_one_loaded_orchestration(compiled: Programs) -> None:
    """The run that it belongs to is not a variable of the library."""
    program = compiled(aic=DEAL, aiv=ADD)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with ch.ChipWorker(RUNTIME, "a2a3sim", isolation="namespace") as worker:
                for seed in range(15):
                    y = run(worker, program, np.zeros((4, 64), np.float32), tasks=number, blocks=4, seed=seed)
                    assert np.array_equal(y[3], np.arange(64) * 10.0 * number)
                    worker.reset()
                    worker.init(RUNTIME, "a2a3sim", isolation="namespace")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]

# SPDX-License-Identifier: Apache-2.0
"""A test for every row of docs/site/simpler_differences.py, under the row's name."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import simpler_scenes
from checkout import ROOT
from simpler_sources import ABG, COPY, HBG, NOTHING, PLACE, PLATFORM, SHOW, SUM, TMR, callable_of, compiled, spans

import chiphost as ch
from chiphost._simpler.scene import SimplerScene
from chiphost.scenes.results import Settings
from chiphost.scenes.run import Tally, run_case

SEEDS = range(4)
# Tensor arguments as they are, in an orchestration on the AICPU.
X_AND_Y = "Tensor x = from_tensor_arg(orch_args.tensor(0)), y = from_tensor_arg(orch_args.tensor(1));\n"


@pytest.fixture(scope="module", autouse=True)
def pto_isa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PTO_ISA_ROOT", str(simpler_scenes.pto_isa(tmp_path_factory.mktemp("pto-isa"))))
        patch.delenv("PTO_ISA_COMMIT", raising=False)
        yield


@pytest.fixture(scope="module")
def workers() -> Iterator[Callable[[str], ch.ChipWorker]]:
    made: dict[str, ch.ChipWorker] = {}

    def worker(runtime: str) -> ch.ChipWorker:
        if runtime not in made:
            made[runtime] = ch.ChipWorker(runtime, PLATFORM)
        return made[runtime]

    yield worker
    for each in made.values():
        each.finalize()


class Bench:
    """Compiles a source and runs it."""

    def __init__(self, folder: Path, workers: Callable[[str], ch.ChipWorker]) -> None:
        self.folder = folder
        self.workers = workers
        self.sources = 0

    def compile(self, runtime: str, body: str, before: str = "") -> ch.ChipCallable:
        self.sources += 1
        return compiled(self.folder / str(self.sources), runtime, body, before)

    def run(self, runtime: str, body: str, args: list[Any], before: str = "") -> ch.RunResult:
        return self.workers(runtime).run(self.compile(runtime, body, before), args)

    def waits(self, runtime: str, body: str, args: list[Any]) -> list[bool]:
        """For each seed, True if the last task is given to a core after all others have ended."""
        source = self.compile(runtime, body)
        runs = [spans(self.workers(runtime), source, args, seed) for seed in SEEDS]
        return [run[-1][0] > max(ended for _, ended in run[:-1]) for run in runs]


@pytest.fixture
def bench(tmp_path: Path, workers: Callable[[str], ch.ChipWorker]) -> Bench:
    return Bench(tmp_path, workers)


def table() -> ModuleType:
    """The module that the page is made from. It is no part of the package."""
    spec = importlib.util.spec_from_file_location("simpler_differences", ROOT / "docs/site/simpler_differences.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


ABOUT_THE_TABLE = {"test_every_row_has_a_test", "test_the_page_is_made_from_the_table"}


def test_every_row_has_a_test() -> None:
    tests = {name for name, value in globals().items() if name.startswith("test_") and callable(value)}
    names = [row.name for row in table().ROWS]
    assert sorted(names) == sorted(test[5:].replace("_", "-") for test in tests - ABOUT_THE_TABLE)
    for row in table().ROWS:
        assert all(text.strip() and "|" not in text and "\n" not in text for text in row), row.name


def test_the_page_is_made_from_the_table() -> None:
    assert (ROOT / "docs/reference/simpler-differences.md").read_text() == table().page()


# The order of tasks


def words(*values: int, dtype: str = "int32") -> np.ndarray:
    return np.array(values, dtype)


def test_write_after_read(bench: Bench) -> None:
    body = f"""{X_AND_Y}
    Arg read; read.add_input(x); read.add_output(y); pto2_rt_submit_aiv_task({COPY}, read);
    Arg write; write.@(x); pto2_rt_submit_aiv_task({NOTHING}, write);"""
    args = [np.arange(8, dtype=np.int32), np.zeros(8, np.int32)]
    assert all(bench.waits(TMR, body.replace("@", "add_output"), args))
    assert not all(bench.waits(TMR, body.replace("@", "add_no_dep"), args))
    assert args[1].tolist() == list(range(8))


def test_write_after_write(bench: Bench) -> None:
    body = f"""{X_AND_Y}
    Arg first; first.add_input(x); first.add_output(y); pto2_rt_submit_aiv_task({COPY}, first);
    Arg second; second.@(y); pto2_rt_submit_aiv_task({NOTHING}, second);"""
    args = [np.arange(8, dtype=np.int32), np.zeros(8, np.int32)]
    assert all(bench.waits(TMR, body.replace("@", "add_output"), args))
    assert all(bench.waits(TMR, body.replace("@", "add_inout"), args))
    assert not all(bench.waits(TMR, body.replace("@", "add_no_dep"), args))


def test_predecessors(bench: Bench) -> None:
    """Forty tasks write an element each of what one task reads."""
    body = f"""{X_AND_Y}
    Tensor made = from_tensor_arg(orch_args.tensor(2));
    const uint32_t one[1] = {{1}};
    for (uint32_t i = 0; i < 40; ++i) {{
        const uint32_t offset[1] = {{i}};
        Tensor from = x.view(one, offset), to = made.view(one, offset);
        Arg part; part.add_input(from); part.add_output(to); pto2_rt_submit_aiv_task({COPY}, part);
    }}
    Arg all; all.add_input(made); all.add_output(y); pto2_rt_submit_aiv_task({SUM}, all);"""
    args = [np.arange(40, dtype=np.int32), np.zeros(1, np.int32), np.zeros(40, np.int32)]
    assert all(bench.waits(TMR, body, args))
    assert args[1].tolist() == [sum(range(40))]


HOST_COPIES = """
    const ContinuousTensor x = orch_args.tensor(0), y = orch_args.tensor(1);
    char* from = static_cast<char*>(device_malloc(rt, x.nbytes()));
    char* middle = static_cast<char*>(device_malloc(rt, x.nbytes()));
    char* to = static_cast<char*>(device_malloc(rt, y.nbytes()));
    copy_to_device(rt, from, x.data_as<void>(), x.nbytes());
    const auto copy = [&](char* source, char* target, uint64_t count) {
        uint64_t args[] = {reinterpret_cast<uint64_t>(source), reinterpret_cast<uint64_t>(target), count};
        return add_task(rt, args, 3, 0, CoreType::AIV);
    };
"""


def test_successors(bench: Bench) -> None:
    """Two hundred tasks copy what the one before them has written; without an edge they would copy 0xFF."""
    body = f"""{HOST_COPIES}
    const int first = copy(from, middle, 200);
    for (int i = 0; i < 200; ++i) add_successor(rt, first, copy(middle + 4 * i, to + 4 * i, 1));
    record_tensor_pair(rt, y.data_as<void>(), to, y.nbytes());
    return 0;"""
    args = [np.arange(200, dtype=np.int32), np.zeros(200, np.int32)]
    source = bench.compile(HBG, body)
    for seed in SEEDS:
        (_, ended), *others = spans(bench.workers(HBG), source, args, seed)
        assert len(others) == 200
        assert min(given for given, _ in others) > ended
        assert args[1].tolist() == list(range(200))


def test_gone_tasks(bench: Bench) -> None:
    """The first task's slot is used by many others, the last of which is the one that waits for it."""
    body = f"""{X_AND_Y}
    PTO2TaskId first;
    for (int i = 0; i < 20; ++i) {{
        PTO2_SCOPE(rt) {{
            Arg arg; arg.add_input(x); arg.add_inout(y);
            const PTO2TaskId task = pto2_rt_submit_aiv_task(rt, {COPY}, arg).task_id;
            if (i == 0) first = task;
            else pto2_rt_add_dependency(rt, first, task);
        }}
    }}"""
    source = bench.compile(ABG, body)
    for seed in SEEDS:
        args = [words(5, 6), words(0, 0)]
        result = bench.workers(ABG).run(source, args, ring_task_window=4, seed=seed)
        assert result.task_count == 20
        assert args[1].tolist() == [5, 6]


# Errors


@pytest.mark.parametrize(
    ("runtime", "body", "name", "text"),
    [
        (HBG, "add_successor(rt, 0, 7); return 0;", "TASK_ID_OUT_OF_RANGE", "add_successor"),
        (HBG, "add_task(rt, nullptr, 0, 77, CoreType::AIV); return 0;", "KERNEL_MISSING", "77"),
        (TMR, "Arg arg; pto2_rt_submit_aiv_task(77, arg);", "KERNEL_MISSING", "77"),
        (ABG, "Arg arg; pto2_rt_submit_aiv_task(rt, 77, arg);", "KERNEL_MISSING", "77"),
        (
            ABG,
            "pto2_rt_add_dependency(rt, PTO2TaskId{5}, PTO2TaskId{6});",
            "TASK_INVALID",
            "edge from task 5 of ring 0",
        ),
        (
            TMR,
            f"{X_AND_Y} Arg arg; for (int i = 0; i < 17; ++i) arg.add_input(x);",
            "ORCHESTRATION_THREW",
            "at most 16 tensors",
        ),
        (
            TMR,
            f"{X_AND_Y} Arg arg; arg.add_scalar(1); arg.add_input(x);",
            "ORCHESTRATION_THREW",
            "tensors come before scalars",
        ),
        (TMR, "orch_args.tensor(5);", "ORCHESTRATION_THREW", "the run was given 2 tensors"),
        (TMR, "pto2_rt_scope_end();", "TASK_INVALID", "there is no open scope"),
    ],
)
def test_failed_runs(bench: Bench, runtime: str, body: str, name: str, text: str) -> None:
    with pytest.raises(ch.ChiphostError, match=text) as caught:
        bench.run(runtime, body, [words(1), words(2)])
    assert caught.value.name == name
    assert not bench.workers(runtime).poisoned


@pytest.mark.parametrize("runtime", [ABG, TMR])
def test_calls_after_an_error(bench: Bench, capfd: pytest.CaptureFixture[str], runtime: str) -> None:
    before = """#include <string.h>
    #include <unistd.h>
    static void say(const char* text) { (void)!write(2, text, strlen(text)); }  // LOG says nothing any more
    struct Held { ~Held() { say("given back\\n"); } };"""
    body = """Held held;
    say("before\\n");
    Arg arg; pto2_rt_submit_aiv_task(@77, arg);
    say("after\\n");"""
    with pytest.raises(ch.GraphError):
        bench.run(runtime, body.replace("@", "rt, " if runtime == ABG else ""), [], before)
    assert capfd.readouterr().err == "before\ngiven back\n"


def test_full_rings(bench: Bench) -> None:
    body = f"""for (int i = 0; i < 10; ++i) {{
        @
        Arg arg; pto2_rt_submit_aiv_task({NOTHING}, arg);
    }}"""
    worker = bench.workers(TMR)
    with pytest.raises(ch.GraphError, match="4") as caught:
        worker.run(bench.compile(TMR, body.replace("@", "")), [], ring_task_window=4)
    assert caught.value.name == "SCOPE_DEADLOCK"
    worker.run(bench.compile(TMR, body.replace("@", "PTO2_SCOPE_GUARD();")), [], ring_task_window=4)


# Tensors


@pytest.mark.parametrize("runtime", [ABG, TMR])
def test_views(bench: Bench, runtime: str) -> None:
    body = "const uint32_t shape[2] = {2, 4}, offset[2] = {1, @};\n"
    body += "from_tensor_arg(orch_args.tensor(0)).view(shape, offset);"
    x = np.zeros((3, 8), np.int32)
    bench.run(runtime, body.replace("@", "4"), [x])
    with pytest.raises(ch.ChiphostError, match="dimension 1 has 8 elements, wanted 4 from 5 on"):
        bench.run(runtime, body.replace("@", "5"), [x])


@pytest.mark.parametrize("runtime", [ABG, TMR])
def test_addresses(bench: Bench, runtime: str) -> None:
    body = "const uint32_t shape[1] = {2}; static int32_t own[8]; (void)own;\n"
    body += "make_tensor_external(@, shape, 1, DataType::INT32);"
    args = [np.zeros(4, np.int32), np.zeros(4, np.int32)]
    bench.run(runtime, body.replace("@", "orch_args.tensor(0).data_as<int32_t>() + 2"), args)
    for address in ("orch_args.tensor(0).data_as<int32_t>() + 3", "own", "nullptr"):
        with pytest.raises(ch.GraphError, match="in no tensor argument of the run") as caught:
            bench.run(runtime, body.replace("@", address), args)
        assert caught.value.name == "TASK_INVALID"


@pytest.mark.parametrize("runtime", [ABG, TMR])
def test_expired_tensors(bench: Bench, runtime: str) -> None:
    rt, outputs = ("rt, ", ".outputs") if runtime == ABG else ("", "")
    use = "Arg use; use.add_input(made); use.add_inout(y);\n"
    use += f"pto2_rt_submit_aiv_task({rt}{COPY}, use);"
    body = f"""{X_AND_Y} Tensor made;
    PTO2_SCOPE({rt[:2]}) {{
        const uint32_t shape[1] = {{2}};
        TensorCreateInfo info(shape, 1, DataType::INT32);
        Arg make; make.add_input(x); make.add_output(info);
        const auto task = pto2_rt_submit_aiv_task({rt}{COPY}, make);
        made = task{outputs}.get_ref(0);
        @INSIDE
    }}
    @AFTER"""
    args = [words(5, 6), words(0, 0)]
    bench.run(runtime, body.replace("@INSIDE", use).replace("@AFTER", ""), args)
    assert args[1].tolist() == [5, 6]
    with pytest.raises(ch.GraphError) as caught:
        bench.run(runtime, body.replace("@INSIDE", "").replace("@AFTER", use), args)
    assert caught.value.name == "TENSOR_EXPIRED"


def test_view_manual_dep(bench: Bench, tmp_path: Path) -> None:
    body = f"""{X_AND_Y}
    x = from_tensor_arg(orch_args.tensor(0), true);
    const uint32_t shape[1] = {{8}}, offset[1] = {{0}};
    Tensor view = x.@;
    Arg read; read.add_input(view); read.add_output(y); pto2_rt_submit_aiv_task({COPY}, read);
    Arg write; write.add_output(view); pto2_rt_submit_aiv_task({NOTHING}, write);"""
    args = [np.arange(8, dtype=np.int32), np.zeros(8, np.int32)]
    for inferred in ("view(shape, offset)", "reshape(shape, 1)", "transpose(0, 0)"):
        assert all(bench.waits(TMR, body.replace("@", inferred), args))
    for manual in ("view(shape, offset, true)", "reshape(shape, 1, true)", "transpose(0, 0, true)"):
        assert not any(bench.waits(TMR, body.replace("@", manual), args))
    native = tmp_path / "native.cpp"
    native.write_text("""#include <chiphost/device_graph.h>
    using chiphost::Task;
    CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
        const auto view = args.tensor(0).manual_dep().view({8}, {0});
        graph.submit(Task(chiphost::AIV, 0).input(view).output(args.tensor(1)));
        graph.submit(Task(chiphost::AIV, 1).output(view));
        return 0;
    }""")
    nothing = tmp_path / "nothing.cpp"
    nothing.write_text('#include <cstdint>\nextern "C" void kernel_entry(int64_t*) {}\n')
    kernels = [ch.Kernel(0, nothing, "aiv"), ch.Kernel(1, nothing, "aiv")]
    source = ch.compile(native, kernels, runtime=TMR)
    for seed in SEEDS:
        (_, ended), (given, _) = spans(bench.workers(TMR), source, args, seed)
        assert given <= ended


def test_kernel_tensors(bench: Bench) -> None:
    body = f"""{X_AND_Y}
    const uint32_t shape[1] = {{2}}, offset[1] = {{3}};
    Tensor view = x.view(shape, offset);
    for (Tensor* each : {{&x, &view}}) {{
        const uint32_t two[1] = {{2}}, at[1] = {{each == &x ? 0u : 2u}};
        Tensor out = y.view(two, at);
        Arg arg; arg.add_input(*each); arg.add_output(out); pto2_rt_submit_aiv_task({PLACE}, arg);
    }}"""
    y = np.full(4, -1, np.int64)
    bench.run(TMR, body, [np.zeros(8, np.int32), y])
    assert y[2] == y[0] + 3 * 4
    assert y[[1, 3]].tolist() == [0, 0]


# Scalars


@pytest.mark.parametrize("runtime", [ABG, TMR])
def test_scalars(bench: Bench, tmp_path: Path, runtime: str) -> None:
    rt = "rt, " if runtime == ABG else ""
    body = f"""Tensor x = from_tensor_arg(orch_args.tensor(0));
    const int32_t minus_one[1] = {{-1}};
    Arg arg; arg.add_inout(x);
    arg.add_scalar(minus_one[0]); arg.add_scalars_i32(minus_one, 1); arg.add_scalar(int64_t{{-1}});
    pto2_rt_submit_aiv_task({rt}{SHOW}, arg);"""
    shown = np.zeros(3, np.int64)
    bench.run(runtime, body, [shown])
    assert shown.tolist() == [0xFFFFFFFF, 0xFFFFFFFF, -1]
    (tmp_path / "native.cpp").write_text("""#include <chiphost/device_graph.h>
    CHIPHOST_DEVICE_ORCHESTRATION(build_graph, graph, args) {
        graph.submit(chiphost::Task(chiphost::AIV, 0).inout(args.tensor(0)).scalar(int32_t{-1}));
        return 0;
    }""")
    (tmp_path / "show.cpp").write_text("""#include <chiphost/kernel.h>
    extern "C" __aicore__ void kernel_entry(__gm__ int64_t* args) {
        chiphost::tensor_data<int64_t>(args, 0)[0] = args[1];
        chiphost::tensor_data<int64_t>(args, 0)[1] = chiphost::scalar_arg<int32_t>(args, 1);
    }""")
    native = ch.compile(tmp_path / "native.cpp", [ch.Kernel(0, tmp_path / "show.cpp", "aiv")], runtime=runtime)
    bench.workers(runtime).run(native, [shown])
    assert shown[:2].tolist() == [-1, -1]


# Memory


@pytest.mark.parametrize("runtime", [ABG, HBG, TMR])
def test_undefined_memory(bench: Bench, runtime: str) -> None:
    y = np.zeros(4, np.int32)
    if runtime == HBG:
        body = f"{HOST_COPIES} copy(middle, to, 4); record_tensor_pair(rt, y.data_as<void>(), to, 16); return 0;"
    else:
        rt, outputs = ("rt, ", ".outputs") if runtime == ABG else ("", "")
        body = f"""{X_AND_Y}
        TensorCreateInfo info(x.shapes, 1, DataType::INT32);
        Arg make; make.add_output(info);
        const auto task = pto2_rt_submit_aiv_task({rt}{NOTHING}, make);
        Arg use; use.add_input(task{outputs}.get_ref(0)); use.add_inout(y);
        pto2_rt_submit_aiv_task({rt}{COPY}, use);"""
    bench.run(runtime, body, [np.zeros(4, np.int32), y])
    assert y.tolist() == [-1, -1, -1, -1]


def test_leaked_memory(bench: Bench) -> None:
    """Each run takes more than half of the memory."""
    source = bench.compile(HBG, "return device_malloc(rt, 40 << 20) == nullptr;")
    with ch.ChipWorker(HBG, PLATFORM, device_memory_bytes=64 << 20) as worker:
        for _ in range(3):
            worker.run(source, [])
    twice = bench.compile(HBG, "device_malloc(rt, 40 << 20); device_malloc(rt, 40 << 20); return 0;")
    with ch.ChipWorker(HBG, PLATFORM, device_memory_bytes=64 << 20) as worker, pytest.raises(ch.DeviceMemoryError):
        worker.run(twice, [])


def test_tensor_pairs(bench: Bench) -> None:
    body = f"""{HOST_COPIES}
    copy(from, to, 100);
    for (int i = 0; i < 100; ++i) record_tensor_pair(rt, y.data_as<int32_t>() + i, to + 4 * i, 4);
    return 0;"""
    args = [np.arange(100, dtype=np.int32), np.zeros(100, np.int32)]
    bench.run(HBG, body, args)
    assert args[1].tolist() == list(range(100))


# The files of a scene


@pytest.mark.parametrize("runtime", [ABG, TMR])
def test_thread_counts(bench: Bench, tmp_path: Path, runtime: str) -> None:
    for threads in ("'aicpu_thread_num': 1, 'orch_thread_num': 3", "'aicpu_thread_num': 4, 'orch_thread_num': 0"):
        config = simpler_scenes.CONFIG.replace("'", '"').replace('"aicpu_thread_num": 4', threads)
        assert threads in config
        config = config.replace("@FUNCTION", "aicpu_orchestration_entry").replace("@RUNTIME", runtime)
        scene = SimplerScene.load(simpler_scenes.write(tmp_path / threads[-1], runtime, config=config))
        assert not {"aicpu_thread_num", "orch_thread_num"} & scene.config.keys()
    rt = "rt, " if runtime == ABG else ""
    body = f"""Tensor x = from_tensor_arg(orch_args.tensor(0));
    Arg arg; arg.add_inout(x); arg.add_scalar(num); arg.add_scalar(index);
    pto2_rt_submit_aiv_task({rt}{SHOW}, arg);"""
    called = np.full(2, -7, np.int64)
    bench.run(runtime, body, [called])
    assert called.tolist() == [1, 0]


@pytest.mark.parametrize("direction", ["IN", "OUT", "INOUT", "SCALAR"])
def test_signatures(bench: Bench, tmp_path: Path, direction: str) -> None:
    """The scene reads both tensors and writes the second one, whatever it says about them."""
    runtime = "tensormap_and_ringbuffer"
    config = simpler_scenes.CONFIG.replace("@FUNCTION", "aicpu_orchestration_entry").replace("@RUNTIME", runtime)
    signature = f'"signature": [D.{direction}, D.{direction}, D.{direction}]'
    config = config.replace('"signature": [D.IN, D.IN, D.SCALAR]', signature)
    assert signature in config
    text = simpler_scenes.device(simpler_scenes.PARTS[runtime])
    # The content before the run counts.
    text = text.replace("value + 1", "value + 1 + before").replace(
        "PTO2_SCOPE() {",
        "const uint32_t end[1] = {elements[0] - 1};\n"
        "    const float before = get_tensor_data<float>(y, 1, end);\n    PTO2_SCOPE() {",
    )
    golden = simpler_scenes.GOLDEN.replace("@LAST", "True").replace("np.zeros_like(x)", "np.full_like(x, 100)")
    golden = golden.replace("+= 1\n", "+= 101\n")
    scene = SimplerScene.load(simpler_scenes.write(tmp_path, runtime, config=config, golden=golden, orchestration=text))
    tally = Tally()
    run_case(bench.workers(runtime), scene, [callable_of(scene)], "small", Settings(PLATFORM), tally)
    assert tally.rounds == scene.rounds


def test_runtime_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PTO2_RING_TASK_WINDOW", raising=False)
    scene = SimplerScene.load(simpler_scenes.write(tmp_path, "tensormap_and_ringbuffer"))
    assert scene.config["ring_task_window"] == 16
    assert scene.config["ring_heap_bytes"] == 65536
    assert scene.config["ring_dep_pool"] == 64
    config = simpler_scenes.CONFIG.replace("@FUNCTION", "f").replace("@RUNTIME", "tensormap_and_ringbuffer")
    folder = simpler_scenes.write(
        tmp_path, "tensormap_and_ringbuffer", "odd", config=config.replace("PTO2_RING_HEAP", "PTO2_NO_SUCH_SIZE")
    )
    with pytest.raises(ch.SceneError, match="nobody knows what PTO2_NO_SUCH_SIZE means"):
        SimplerScene.load(folder)

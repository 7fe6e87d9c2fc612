# SPDX-License-Identifier: Apache-2.0
"""The defects that run.py plants: one small slip each, and the tests that must notice it.

A test is `program:Filter` for GoogleTest, or `room/test_file.py::name` for pytest, below tests/python. Tests of one
filter run in one process: of those that count namespaces or threads name one. Name few and fast ones: a defect is also
worth planting if the tests that should notice it do not yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Defect:
    """One slip.

    Attributes:
        name: the noun it is in, and what is wrong then.
        file: from the root of the repository.
        find: text that occurs once in the file.
        put: what stands in its place.
        tests: those that must notice it.
        required: whether missing it alone is a failure: it was missed once.
    """

    name: str
    file: str
    find: str
    put: str
    tests: tuple[str, ...]
    required: bool = False

    def applies_to(self, text: str) -> bool:
        return text.count(self.find) == 1

    def planted(self, text: str) -> str:
        return text.replace(self.find, self.put)


def _programs(*runtimes: str) -> tuple[str, ...]:
    return tuple(f"a2a3sim_{runtime}_{part}" for runtime in runtimes for part in ("host", "aicpu", "aicore"))


_CHIP_PARTS: Final = (
    *_programs("host_build_graph", "tensormap_and_ringbuffer"),
    "kernel_answer_values",
    "kernel_deal_values",
    "kernel_mix_numbers",
    "kernel_record_task",
    "kernel_throw_exception",
    "kernel_wait_for_word",
    "kernel_write_part_0",
    "kernel_write_part_1",
    "kernel_write_part_2",
    "orchestration_device_program_from_table",
    "orchestration_graph_from_table",
    "orchestration_misbehave",
)
_RING_PARTS: Final = (
    *_programs("tensormap_and_ringbuffer"),
    "kernel_ring_copy",
    "kernel_ring_fill",
    "kernel_ring_gated",
    "kernel_ring_gives_up_late",
    "kernel_ring_never_gives_up",
    "kernel_ring_nothing",
    "kernel_ring_throws",
    "orchestration_ring_programs",
    "orchestration_ring_throws",
)
_FAKES: Final = ("counter", "fake_good", "fake_leaks_thread", "fake_leaves_library", "fake_pins_itself", "stateless")

# Targets of the build that a test program loads. Its own are built anyway.
NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "domain_test": ("counter", "inspector", "signatures"),
    "fake_runtime_test": (*_CHIP_PARTS, "fake_throws_in_set_device"),
    "hanging_run_test": _CHIP_PARTS,
    "library_pool_test": ("counter", "counter_without_names", "gated", "stateless"),
    "orch_so_loader_onboard_test": ("counter", "throws_when_loaded"),
    "orch_so_loader_sim_test": ("counter", "throws_when_loaded"),
    "private_copy_test": ("counter", "throws_when_loaded"),
    "ring_programs_test": _RING_PARTS,
    "run_test": _CHIP_PARTS,
    "runtime_library_test": _FAKES,
    "sim_device_test": (*_CHIP_PARTS, "aicpu_that_looks"),
    "worker_test": _CHIP_PARTS,
}


def _required(name: str, file: str, find: str, put: str, *tests: str) -> Defect:
    return Defect(name, file, find, put, tests, required=True)


def _sibling(name: str, file: str, find: str, put: str, *tests: str) -> Defect:
    return Defect(name, file, find, put, tests)


_CALLABLE: Final = "cpp/host/loaded_callable.cpp"
_MEMORY: Final = "cpp/host/run_memory.cpp"
_GRAPH: Final = "cpp/graph/graph_builder.cpp"
_HOST: Final = (
    _required(
        "loaded_callable: a dropped key stays in the map",
        _CALLABLE,
        "        by_key_.erase(order_.back().first);\n",
        "",
        "loaded_callable_test:*",
    ),
    _required(
        "loaded_callable: a table of addresses is never released",
        _CALLABLE,
        "    if (kernel_addresses_) platform::release(device_, kernel_addresses_);\n",
        "",
        "loaded_callable_test:*",
    ),
    _sibling(
        "loaded_callable: kernels stay loaded",
        _CALLABLE,
        "    for (const platform::LoadedKernel& kernel : loaded_) platform::unload_kernel(device_, kernel);\n",
        "",
        "loaded_callable_test:*",
    ),
    _sibling(
        "loaded_callable: the most recently used is not moved",
        _CALLABLE,
        "        order_.splice(order_.begin(), order_, found->second);\n",
        "",
        "loaded_callable_test:*",
    ),
    _sibling(
        "loaded_callable: one more is kept",
        _CALLABLE,
        "order_.size() > kept_max",
        "order_.size() > kept_max + 1",
        "loaded_callable_test:*",
    ),
    _sibling(
        "loaded_callable: the last kernel says whether any hands over",
        _CALLABLE,
        "hands_over_ = hands_over_ || loaded.hands_over;",
        "hands_over_ = loaded.hands_over;",
        "loaded_callable_test:*",
    ),
    _sibling(
        "loaded_callable: the largest func_id is refused",
        _CALLABLE,
        "kernel.func_id > CH_MAX_FUNC_ID",
        "kernel.func_id >= CH_MAX_FUNC_ID",
        "loaded_callable_test:*",
    ),
    _required(
        "run_memory: one past the end is allowed",
        _MEMORY,
        " || (offset == size && size != 0)",
        "",
        "run_memory_test:*",
    ),
    _sibling(
        "run_memory: a range that overflows is allowed",
        _MEMORY,
        "bytes > size - offset",
        "offset + bytes > size",
        "run_memory_test:*",
    ),
    _sibling(
        "run_memory: a release is not noted",
        _MEMORY,
        "    allocations_.erase(found);\n",
        "",
        "run_memory_test:*",
    ),
    _sibling(
        "run_memory: memory is released twice",
        _MEMORY,
        "    allocations_.clear();\n",
        "",
        "run_memory_test:*",
    ),
    _required(
        "graph_builder: counts of the graph before",
        _GRAPH,
        "    for (uint32_t& count : tasks_of_) count = 0;\n",
        "",
        "graph_builder_test:*",
    ),
    _sibling(
        "graph_builder: edges of the graph before",
        _GRAPH,
        "    clear_and_trim(&edges_);\n",
        "",
        "graph_builder_test:*",
    ),
    _sibling(
        "graph_builder: a task that waits for itself is forward",
        _GRAPH,
        "forward_only_ && from < to",
        "forward_only_ && from <= to",
        "graph_builder_test:*",
    ),
    _sibling(
        "graph_builder: a queue of one cell",
        _GRAPH,
        "    uint32_t power = 2;\n",
        "    uint32_t power = 1;\n",
        "graph_builder_test:*",
        "scheduler_test:*",
    ),
    _sibling(
        "graph_builder: one task too many",
        _GRAPH,
        "index >= task_limit_",
        "index > task_limit_",
        "graph_builder_test:*",
    ),
    _sibling(
        "graph_builder: words one after the other twice",
        _GRAPH,
        "    clear_and_trim(&args_);\n",
        "",
        "graph_builder_test:*",
    ),
)

_SCHEDULER_FILE: Final = "cpp/scheduler/scheduler.cpp"
_HANDSHAKES: Final = "cpp/scheduler/handshakes.cpp"
_SCHEDULER: Final = (
    _required(
        "scheduler: one queue of a cluster is handed over full",
        _SCHEDULER_FILE,
        ", &area.to_aic[1]}",
        "}",
        "scheduler_test:*",
    ),
    _required(
        "scheduler: a core of the wrong type",
        _SCHEDULER_FILE,
        " || type != core.type",
        "",
        "core_launch_test:*",
    ),
    _required(
        "scheduler: a second dispatch before the first is taken",
        _SCHEDULER_FILE,
        "    thread.busy.insert(core_index);\n",
        "    thread.busy.insert(core_index);\n"
        "    if (&slot == &core.running && task.shape != Shape::mix) thread.half[core.type].insert(core_index);\n",
        "scheduler_test:*",
    ),
    _sibling(
        "scheduler: a physical number that is one too large",
        _SCHEDULER_FILE,
        "physical >= platform::chip.physical_cores",
        "physical > platform::chip.physical_cores",
        "core_launch_test:*",
    ),
    _sibling(
        "scheduler: a core that is refused is stopped as well",
        _SCHEDULER_FILE,
        "            thread.cores.erase(index);\n            handshakes_.send_away",
        "            handshakes_.send_away",
        "core_launch_test:*",
        "simulated_chip_test:SimulatedChip.Refuses*",
    ),
    _sibling(
        "scheduler: a core that is refused waits for ever",
        _SCHEDULER_FILE,
        "            handshakes_.send_away(index);\n",
        "",
        "core_launch_test:*",
    ),
    _sibling(
        "scheduler: a second dispatch although cores are idle",
        _SCHEDULER_FILE,
        "queue(shape).size() >= cores_of_type",
        "queue(shape).size() * cores_of_type >= cores_of_type",
        "scheduler_test:*",
    ),
    _sibling(
        "scheduler: an earlier dispatch is forgotten",
        _SCHEDULER_FILE,
        "            completed += finish(thread, index, core.running);\n            core.running = core.waiting;\n",
        "            core.running = core.waiting;\n",
        "scheduler_test:*",
    ),
    _sibling(
        "scheduler: a core that is half busy when it is idle",
        _SCHEDULER_FILE,
        "        thread.half[core.type].erase(index);\n",
        "",
        "scheduler_test:*",
        "simulated_chip_test:SimulatedChip.RunsRandomGraphs*",
    ),
    _sibling(
        "scheduler: what a kernel threw is not looked at",
        _SCHEDULER_FILE,
        "    if (done.status != KernelStatus::ok) {",
        "    if (false) {",
        "kernel_fault_test:*",
    ),
    _sibling(
        "scheduler: how the last kernel ended",
        _SCHEDULER_FILE,
        "    payload.status = KernelStatus::ok;\n",
        "",
        "kernel_fault_test:*",
    ),
    _sibling(
        "scheduler: both AIV are the first one",
        _SCHEDULER_FILE,
        "            cores_[aiv + 1].sub_block_id = 1;\n",
        "",
        "scheduler_test:*",
    ),
    _sibling(
        "scheduler: another cluster's queues",
        _SCHEDULER_FILE,
        "at<HandOverArea>(launch_.hand_over)[cluster]);",
        "at<HandOverArea>(launch_.hand_over)[0]);",
        "scheduler_test:*",
    ),
    _sibling(
        "scheduler: a MIX task in a cluster of which a core is busy",
        _SCHEDULER_FILE,
        "           thread.idle[CH_AIV].contains(aiv + 1);",
        "           true;",
        "scheduler_test:*",
        "simulated_chip_test:SimulatedChip.RunsBlocks*",
    ),
    _sibling(
        "scheduler: others are not told what there is",
        _SCHEDULER_FILE,
        "    thread.shared = true;\n",
        "    thread.shared = false;\n",
        "scheduler_test:*",
    ),
    _sibling(
        "scheduler: done while a core has not gone",
        _SCHEDULER_FILE,
        "all = all && exited;",
        "all = exited;",
        "core_launch_test:*",
    ),
    _sibling(
        "handshakes: the fast path stays open",
        _HANDSHAKES,
        "Register::fast_path, fast_path_close);",
        "Register::fast_path, fast_path_open);",
        "core_launch_test:*",
    ),
    _sibling(
        "scheduler: the last fault is reported",
        _SCHEDULER_FILE,
        "    return __atomic_compare_exchange_n(&status_.error.code, &ok, code, false, __ATOMIC_ACQ_REL, "
        "__ATOMIC_RELAXED);",
        "    (void)ok;\n    status_.error.code = code;\n    return true;",
        "kernel_fault_test:*",
    ),
    _sibling(
        "scheduler: an image of another format",
        _SCHEDULER_FILE,
        "launch.format != CH_LAUNCH_FORMAT || image_.format != graph::image_format",
        "launch.format != CH_LAUNCH_FORMAT",
        "core_launch_test:*",
    ),
    _sibling(
        "stall_text: every edge is named",
        "cpp/scheduler/stall_text.cpp",
        "if (++waiting > named_max) continue;",
        "++waiting;",
        "kernel_fault_test:Scheduler.NamesFourOfTheTasksThatWait",
    ),
    _sibling(
        "stall_text: the last core that has not finished is the error's",
        "cpp/scheduler/stall_text.cpp",
        "for (uint32_t core = 0; core < core_count_; ++core) {\n        const bool fits",
        "for (uint32_t core = core_count_; core-- > 0;) {\n        const bool fits",
        "kernel_fault_test:Scheduler.NamesEveryCoreThatHasNotFinished",
    ),
    _sibling(
        "stall_text: the chain of waits does not begin at the orchestration",
        "cpp/scheduler/stall_text.cpp",
        "uint32_t begin = grows_ ? orchestrator_.in_the_way() : none;",
        "uint32_t begin = none;",
        "graphs/test_stalls.py::test_names_kernel_line_and_who_waits_for_whom",
    ),
    _sibling(
        "ready_queue: a full queue takes one more",
        "cpp/scheduler/ready_queue.h",
        "taken >= static_cast<int32_t>(capacity_)",
        "taken > static_cast<int32_t>(capacity_)",
        "ready_queue_test:*",
    ),
    _sibling(
        "core_set: a core above 63",
        "cpp/scheduler/core_set.h",
        ": 64 + static_cast<uint32_t>",
        ": static_cast<uint32_t>",
        "core_set_test:*",
    ),
    _sibling(
        "core_executor: the payload of the dispatch before",
        "cpp/executor/core_executor.cpp",
        "&payloads_[number_ & 1]",
        "&payloads_[0]",
        "simulated_chip_test:SimulatedChip.RunsRandomGraphsInOrder",
    ),
    _sibling(
        "core_executor: the same dispatch again",
        "cpp/executor/core_executor.cpp",
        "    number_ = number;\n",
        "",
        "simulated_chip_test:SimulatedChip.RunsRandomGraphsInOrder",
    ),
)

_ROOM: Final = "cpp/orchestrator/ring_room.cpp"
_RING: Final = "cpp/orchestrator/task_ring.cpp"
_ELEMENTS: Final = "cpp/orchestrator/orchestrator_elements.cpp"
_ORCHESTRATOR: Final = (
    _required(
        "ring_room: an exactly full tensor map",
        _ROOM,
        "need.uses > map_->free_count()",
        "need.uses >= map_->free_count()",
        "ring_room_test:*",
    ),
    _required(
        "ring_room: uses that another ring holds are not given back",
        _ROOM,
        "return other == ring || what == Missing::uses;",
        "return other == ring;",
        "ring_room_test:*",
    ),
    _required(
        "ring_room: uses that another ring holds will never be given back",
        _ROOM,
        "will_be_given_back || rings_[other].older_than_group() != 0;",
        "will_be_given_back || (other == ring && rings_[other].older_than_group() != 0);",
        "ring_room_test:*",
    ),
    _sibling(
        "ring_room: uses are never forgotten",
        _ROOM,
        "        map_->forget(slots_[rings_[ring].oldest()].first_use);\n",
        "",
        "ring_room_test:*",
    ),
    _sibling(
        "ring_room: a producer that is over is needed",
        _ROOM,
        "return !producer.owner && is_over(producer.slot);",
        "return is_over(producer.slot) && false;",
        "ring_room_test:*",
    ),
    _sibling(
        "ring_room: an unpublished producer completes",
        _ROOM,
        " || !slots_[producers->at(i).slot].published;",
        ";",
        "ring_room_test:*",
    ),
    _sibling(
        "ring_room: a task that was never submitted",
        _ROOM,
        "static_cast<uint32_t>(id) < rings_[ring].next_number()",
        "static_cast<uint32_t>(id) <= rings_[ring].next_number()",
        "ring_room_test:*",
    ),
    _sibling(
        "task_ring: one slot too few",
        _RING,
        "if (count() + room.slots > sizes_->window) return Missing::slot;",
        "if (count() + room.slots >= sizes_->window) return Missing::slot;",
        "task_ring_test:*",
        "ring_room_test:*",
    ),
    _sibling(
        "task_ring: one edge too many",
        _RING,
        "edge_head_ + room.edges - edge_tail_ > sizes_->edge_count",
        "edge_head_ + room.edges - edge_tail_ > sizes_->edge_count + 1",
        "task_ring_test:*",
        "ring_room_test:*",
    ),
    _sibling(
        "task_ring: edges are not given back",
        _RING,
        "    edge_tail_ = next.edge_begin;\n",
        "",
        "task_ring_test:*",
        "ring_room_test:*",
    ),
    _sibling(
        "tensor_map: a read meets the reads before",
        "cpp/orchestrator/tensor_map.h",
        "        if (use == Use::read && other == Use::read) continue;\n",
        "",
        "tensor_map_test:*",
    ),
    _sibling(
        "tensor_map: a use that a write covers in part",
        "cpp/orchestrator/tensor_map.h",
        "if (use == Use::write && covers(region, entry.region)) unlink(index);",
        "if (use == Use::write) unlink(index);",
        "tensor_map_test:*",
    ),
    _sibling(
        "tensor_region: neighbours overlap",
        "cpp/graph/tensor_region.cpp",
        "a.offset[dim] >= b.offset[dim] + b.extent[dim]",
        "a.offset[dim] > b.offset[dim] + b.extent[dim]",
        "tensor_map_test:*",
    ),
    _sibling(
        "tensor_region: the box's row after the last",
        "cpp/graph/tensor_region.cpp",
        "            ++index[from++];",
        "            ++index[from];",
        "tensor_region_test:*",
    ),
    _sibling(
        "strand: what became true before it was known to wait",
        "cpp/orchestrator/strand.h",
        "    bool go = ready();\n",
        "    bool go = false;\n",
        "strand_test:*",
    ),
    _required(
        "orchestrator_elements: an element of a turned view",
        _ELEMENTS,
        "uint64_t{indices[dim]} * tensor.stride[dim] * bytes;",
        "uint64_t{indices[dim]} * tensor.stride[tensor.raw_dim[dim]] * bytes;",
        "ring_programs_test:RingPrograms.ReadAndWriteElements*",
    ),
    _required(
        "orchestrator_elements: the first user of an element only",
        _ELEMENTS,
        "    for (uint32_t i = 0; i < producers_.count(); ++i) {\n        const uint32_t slot = producers_.at(i).slot;",
        "    for (uint32_t i = 0; i < 1 && i < producers_.count(); ++i) {\n"
        "        const uint32_t slot = producers_.at(i).slot;",
        "ring_programs_test:RingPrograms.ReadAndWriteElements*",
    ),
    _sibling(
        "orchestrator_elements: an element is written like one that is read",
        _ELEMENTS,
        "one.buffer, graph::region_of(one), write ? TensorMap::Use::write : TensorMap::Use::read,",
        "one.buffer, graph::region_of(one), TensorMap::Use::read,",
        "ring_programs_test:RingPrograms.ReadAndWriteElements*",
    ),
    _sibling(
        "aicpu_port: what nobody wrote is the run's before",
        "platform/sim/aicpu_port.cpp",
        "void forget_content(void* address, size_t bytes) {\n",
        "void forget_content(void* address, size_t bytes) {\n    bytes = 0;\n",
        "ring_programs_test:RingPrograms.SeeNothing*",
    ),
)

_SIM_LAUNCHER: Final = "platform/sim/launcher.cpp"
_SIM_MEMORY: Final = "platform/sim/device_memory.cpp"
_SIM: Final = (
    _required(
        "sim: all seeds but 0 are one order",
        _SIM_LAUNCHER,
        "RandomOracle random(options.seed);",
        "RandomOracle random(options.seed != 0);",
        "run_test:Worker.HasAnOrder*",
    ),
    _required(
        "explore: outputs are not compared",
        "cpp/host/host_context.cpp",
        "if (!reference_.matches(*request.args)) exploration.outcome",
        "if (false) exploration.outcome",
        "explore/test_explore.py::test_a_planted_race_is_found_and_made_small",
    ),
    _required(
        "sim: a task is started although another one is to run first",
        "platform/sim/order.cpp",
        "    if (!fresh_.empty() || chosen_ != none) return put_off;\n",
        "",
        "explore/test_explore.py::test_every_order_is_run_once",
    ),
    _required(
        "sim: COND of a launch that was cut off",
        _SIM_LAUNCHER,
        "    registers.at(physical, Register::cond).store(0, std::memory_order_relaxed);\n",
        "",
        "sim_device_test:*",
    ),
    _sibling(
        "sim: DATA_MAIN_BASE of a launch that was cut off",
        _SIM_LAUNCHER,
        "    registers.at(physical, Register::data_main_base)"
        ".store(core_protocol::main_base_idle, std::memory_order_relaxed);\n",
        "",
        "sim_device_test:*",
    ),
    _required(
        "sim: new memory is zero",
        _SIM_MEMORY,
        "    if (!memory) {\n        return report(out_error, CH_DEVICE_MEMORY_EXHAUSTED",
        "    if (memory && !mapped) memset(memory, 0, wanted);\n"
        "    if (!memory) {\n        return report(out_error, CH_DEVICE_MEMORY_EXHAUSTED",
        "run_test:Worker.BeginsWith*",
    ),
    _required(
        "sim: waits that failed are counted over launches",
        "platform/sim/core_services.cpp",
        "    if (++self.let_down > let_down_max) self.fiber->pause();\n",
        "    static uint32_t of_all;\n    if (++of_all > let_down_max) self.fiber->pause();\n",
        "ring_programs_test:RingPrograms.Forgive*",
    ),
    _sibling(
        "sim: a kernel that gives up is given up",
        "platform/sim/core_services.h",
        "let_down_max = 1 << 12;",
        "let_down_max = 1 << 8;",
        "ring_programs_test:RingPrograms.Forgive*",
    ),
    _sibling(
        "sim: a task of one core waits for the other AIV of the cluster",
        "platform/sim/waits.cpp",
        "    if ((port.paused->cores & (port.paused->cores - 1)) == 0) return {};\n",
        "",
        "graphs/test_stalls.py::test_graphs_that_the_host_builds",
    ),
    _sibling(
        "sim: released memory counts as used",
        _SIM_MEMORY,
        "    bytes_used_ -= found->second.bytes;\n",
        "",
        "worker/test_worker.py",
    ),
    _sibling(
        "sim: a stall that does not say so",
        "platform/sim/sequential_engine.cpp",
        "if (runnable_.empty()) return End::stalled;",
        "if (runnable_.empty()) return End::cancelled;",
        "simulated_chip_test:SimulatedChip.Explains*",
    ),
    _sibling(
        "sim: a thread that nobody signalled",
        "platform/sim/sequential_engine.cpp",
        "self.runnable_.insert_all(self.aicpu_alive_.without(first_aicpu + thread));",
        "self.runnable_.insert(first_aicpu + thread);",
        "simulated_chip_test:SimulatedChip.RunsRandomGraphsInOrder",
    ),
    _sibling(
        "pausables: the first core alone gets a stack",
        "platform/sim/pausables.cpp",
        "    for (uint32_t core = 0; core < cores; ++core) {\n",
        "    for (uint32_t core = 0; core < cores && core < 1; ++core) {\n",
        "ring_programs_test:RingPrograms.EndKernelsThatWaitForEver",
    ),
    _required(
        "fiber: no guard below the stack",
        "platform/sim/fiber.cpp",
        "    mprotect(memory, page, PROT_NONE);\n",
        "",
        "fiber_test:*",
    ),
    _sibling(
        "fiber: exceptions of the thread",
        "platform/sim/fiber.cpp",
        "    *of_thread = exceptions_;\n",
        "",
        "fiber_test:*",
    ),
)

_COPY: Final = "cpp/isolate/domain/private_copy.cpp"
_FILES: Final = (
    _required(
        "orch_so_loader: others may read what an AICPU loads",
        "platform/onboard/orch_so_loader.cpp",
        "O_NOFOLLOW | O_CLOEXEC, 0600)",
        "O_NOFOLLOW | O_CLOEXEC, 0644)",
        "orch_so_loader_onboard_test:*",
    ),
    _sibling(
        "orch_so_loader: a link is followed",
        "platform/onboard/orch_so_loader.cpp",
        "O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC",
        "O_WRONLY | O_CREAT | O_CLOEXEC",
        "orch_so_loader_onboard_test:*",
    ),
    _required(
        "orch_so_loader: a program that is started inherits an orchestration",
        "platform/sim/orch_so_loader.cpp",
        "    if (!may_be_mapped(file)) {\n",
        "    fcntl(file, F_SETFD, 0);\n    if (!may_be_mapped(file)) {\n",
        "orch_so_loader_sim_test:*",
    ),
    _sibling(
        "orch_so_loader: a program that is started inherits an onboard orchestration",
        "platform/onboard/orch_so_loader.cpp",
        "O_NOFOLLOW | O_CLOEXEC, 0600)",
        "O_NOFOLLOW, 0600)",
        "orch_so_loader_onboard_test:*",
    ),
    _required(
        "private_copy: a program that is started inherits a copy",
        _COPY,
        "substr(0, 200).c_str(), MFD_CLOEXEC)",
        "substr(0, 200).c_str(), 0)",
        "private_copy_test:*",
    ),
    _sibling(
        "orch_so_file: a program that is started inherits an orchestration in memory",
        "platform/shared/orch_so_file.cpp",
        "fcntl(file, F_DUPFD_CLOEXEC, 0)",
        "fcntl(file, F_DUPFD, 0)",
        "orch_so_loader_sim_test:*",
    ),
    _sibling(
        "orch_so_file: the file of an orchestration stays",
        "platform/shared/orch_so_file.cpp",
        "    unlink(path);\n    if (!*out_library)",
        '    if (*out_library) path = "/missing";\n    unlink(path);\n    if (!*out_library)',
        "orch_so_loader_sim_test:*",
        "orch_so_loader_onboard_test:*",
    ),
    _required(
        "orch_so_file: an orchestration whose constructor throws stays loaded",
        "platform/shared/orch_so_file.cpp",
        "        close_library(gate, *out_library);\n",
        "",
        "orch_so_loader_sim_test:*",
        "orch_so_loader_onboard_test:*",
    ),
    _required(
        "private_copy: a copy whose constructor throws stays loaded",
        _COPY,
        "        dlclose(*out_handle);\n",
        "",
        "private_copy_test:*",
    ),
    _sibling(
        "private_copy: two copies of one path",
        _COPY,
        "uint64_t number = ++loads; number != 0",
        "uint64_t number = loads; number != 0",
        "library_pool_test:*",
        "private_copy_test:*",
    ),
)

_POOL: Final = "cpp/isolate/domain/library_pool.cpp"
_BUDGET: Final = "cpp/isolate/domain/namespace_budget.cpp"
_ISOLATE: Final = (
    _required(
        "namespace_budget: a refused load has a namespace",
        _BUDGET,
        "    --opened_;\n",
        "",
        "namespace_budget_test:NamespaceBudget.CountsNo*",
    ),
    _sibling(
        "namespace_budget: the loader's word is not taken",
        _BUDGET,
        "        found_at_ = limit_ = open();\n",
        "        found_at_ = open();\n",
        "namespace_budget_test:NamespaceBudget.TakesThe*",
    ),
    _sibling(
        "namespace_pool: what is spare is lent twice",
        "cpp/isolate/domain/namespace_pool.cpp",
        "            spare_.pop_back();\n",
        "",
        "namespace_budget_test:NamespacePool.*",
    ),
    _required(
        "library_pool: an unloaded library stays in the map",
        _POOL,
        "                shared_.erase(idle_.front()->key);\n",
        "",
        "library_pool_test:*",
    ),
    _sibling(
        "library_pool: the most recently used goes",
        _POOL,
        "            idle_.splice(idle_.end(), library->place);\n",
        "            idle_.splice(idle_.begin(), library->place);\n",
        "library_pool_test:*",
    ),
    _sibling(
        "library_pool: one more is kept",
        _POOL,
        "idle_.size() > idle_max",
        "idle_.size() > idle_max + 1",
        "library_pool_test:*",
    ),
    _sibling(
        "library_pool: a library with variables is shared",
        _POOL,
        "const bool statics = key.empty() || loader::has_writable_statics(data, bytes);",
        "const bool statics = key.empty();",
        "library_pool_test:*",
    ),
    _sibling(
        "library_pool: a flush forgets every key",
        _POOL,
        "return key.empty() || library->key == key;",
        "return key.empty() || library->key != key;",
        "library_pool_test:*",
    ),
    _sibling(
        "library_pool: a library with users is unloaded",
        _POOL,
        "        if (--library->users != 0) return false;\n",
        "        --library->users;\n",
        "library_pool_test:*",
    ),
    _required(
        "domain: what a library left loaded is not looked for",
        "cpp/isolate/domain/domain.cpp",
        "return counts().libraries == 0 && holds_what_it_began_with();",
        "return counts().libraries == 0;",
        "runtime_library_test:RuntimeLibraries.Lose*",
    ),
    _required(
        "anchor: signals of the process on a thread of a domain",
        "cpp/isolate/domain/anchor.cpp",
        "    const int failed = interpose::make_own_thread(&thread, &attributes, main, mailbox);\n",
        "    pthread_sigmask(SIG_SETMASK, &before, nullptr);\n"
        "    const int failed = interpose::make_own_thread(&thread, &attributes, main, mailbox);\n",
        "domain_test:*KeepsSignals*",
    ),
    _required(
        "runtime_files: a file that was written again within a second",
        "cpp/worker/runtime_files.cpp",
        ' + "." + std::to_string(status.st_mtim.tv_nsec) + "|" +',
        ' + "|" +',
        "runtime_library_test:RuntimeLibraries.TellStates*",
    ),
    _required(
        "runtime_files: a file of the same time and another size",
        "cpp/worker/runtime_files.cpp",
        "std::to_string(status.st_size);",
        '"";',
        "runtime_library_test:RuntimeLibraries.TellStates*",
    ),
    _required(
        "runtime_libraries: who was refused is a user",
        "cpp/worker/runtime_libraries.cpp",
        "        give_back_refused(**library);\n",
        "",
        "runtime_library_test:RuntimeLibraries.CountNobody*",
    ),
    _sibling(
        "runtime_libraries: a stale copy stays",
        "cpp/worker/runtime_libraries.cpp",
        "    mark_stale(files, key);\n",
        "",
        "runtime_library_test:RuntimeLibraries.CopiesThat*",
    ),
    _sibling(
        "runtime_libraries: threads that it made are not looked for",
        "cpp/worker/runtime_libraries.cpp",
        "const bool threads_stay = domain.has_foreign_threads(",
        "const bool threads_stay = false && domain.has_foreign_threads(",
        "runtime_library_test:RuntimeLibraries.ThatLeave*",
    ),
    _sibling(
        "call_arguments: a negative int32 is not extended",
        "cpp/isolate/call_arguments.cpp",
        "return static_cast<uint64_t>(int64_t{static_cast<int32_t>(word)});",
        "return static_cast<uint32_t>(word);",
        "isolate/test_isolate_signatures.py",
    ),
    _sibling(
        "kept_keys: the most recently used slot goes",
        "cpp/isolate/child/kept_keys.h",
        "entries_[slot].used < entries_[oldest].used",
        "entries_[slot].used > entries_[oldest].used",
        "kept_keys_test:*",
    ),
    _sibling(
        "kept_keys: a use is not noted",
        "cpp/isolate/child/kept_keys.h",
        "                entries_[slot].used = ++clock_;\n",
        "",
        "kept_keys_test:*",
    ),
    _sibling(
        "kept_keys: one slot too many",
        "cpp/isolate/child/kept_keys.h",
        "entries_.size() < slots_max ?",
        "entries_.size() <= slots_max ?",
        "kept_keys_test:*",
    ),
    _sibling(
        "arena_pieces: what touches is not one piece",
        "cpp/isolate/child/arena_pieces.cpp",
        "pieces_[merged - 1].end = std::max(pieces_[merged - 1].end, piece.end);",
        "pieces_[merged - 1].end = piece.end;",
        "arena_pieces_test:*",
    ),
    _sibling(
        "arena_pieces: an address at the beginning of a piece",
        "cpp/isolate/child/arena_pieces.cpp",
        "return wanted < piece.begin; });",
        "return wanted <= piece.begin; });",
        "arena_pieces_test:*",
    ),
)

_WORKER_FILE: Final = "cpp/worker/chip_worker.cpp"
_WORKER: Final = (
    _required(
        "chip_worker: cancel() reaches a run that is over",
        _WORKER_FILE,
        "    set_running(nullptr);\n",
        "",
        "worker_test:Worker.CancelsNothing*",
    ),
    _required(
        "chip_worker: the wait for a turn is not part of the time",
        _WORKER_FILE,
        "await(callable, time);",
        "await(callable, WaitTime(wait));",
        "ring_programs_test:RingPrograms.EndAtTheDeadline*",
    ),
    _required(
        "chip_worker: a spinning kernel is given up at once",
        _WORKER_FILE,
        "grace_ns = 500'000'000;",
        "grace_ns = 50'000'000;",
        "hanging_run_test:*HangingKernel.IsGivenUp*",
    ),
    _required(
        "chip_worker: a spinning kernel is given up much later",
        _WORKER_FILE,
        "grace_ns = 500'000'000;",
        "grace_ns = 60'000'000'000;",
        "hanging_run_test:*HangingKernel.IsGivenUp*",
    ),
    _sibling(
        "chip_worker: of several kernels that hang one is named",
        _WORKER_FILE,
        "for (size_t i = 1; i < waited.places.size(); ++i) {",
        "for (size_t i = 1; i < 1; ++i) {",
        "graphs/test_stalls.py::test_kernels_of_two_clusters_that_spin_are_both_named",
    ),
    _sibling(
        "leave_behind: what a call still uses is destroyed",
        "cpp/isolate/leave_behind.h",
        "object.release();",
        "object.get();",
        "hanging_run_test:*HangingKernel.Poisons*",
    ),
    _sibling(
        "device_context: an exception is an error of the runtime's own",
        "cpp/worker/device_context.cpp",
        "    if (code != CH_ANCHOR_CALL_THREW) return code;\n",
        "    if (code != CH_OK) return code;\n",
        "fake_runtime_test:*/throws_in_set_device",
    ),
    _sibling(
        "device_context: a device has as much memory as ever",
        "cpp/worker/device_context.cpp",
        "    device_.device_memory_bytes = options.device_memory_bytes;\n",
        "",
        "run_test:Worker.KeepsWithinItsDeviceMemory",
    ),
    _sibling(
        "guarded: no memory is a fault of chiphost's",
        "cpp/status/guarded.h",
        "fail(CH_HOST_MEMORY_EXHAUSTED, ",
        "fail(CH_INTERNAL, ",
        "guarded_test:*",
    ),
    _sibling(
        "guarded: the words of an exception are a format",
        "cpp/status/guarded.h",
        'report(out_error, code, where, "%s", words)',
        "report(out_error, code, where, words)",
        "guarded_test:*",
    ),
    _sibling(
        "memory_blocks: a range that overflows is allowed",
        "cpp/isolate/memory_blocks.cpp",
        "bytes <= block.bytes - offset",
        "offset + bytes <= block.bytes",
        "memory_blocks_test:*",
    ),
    _sibling(
        "glibc_tunables: the first tunable only",
        "cpp/isolate/domain/glibc_tunables.cpp",
        '            tunables += ":" + entry;\n',
        "",
        "glibc_tunables_test:LoaderTunables.AreThoseOfTheStart",
    ),
    _sibling(
        "handle_state: who has no turn gives it back",
        "cpp/isolate/handle_state.cpp",
        "    if (status_.ok()) state_.turn_.unlock();",
        "    state_.turn_.unlock();",
        "handle_state_test:*",
    ),
    _sibling(
        "handle_state: a poisoned worker may run",
        "cpp/isolate/handle_state.h",
        "        poisoned_ = true;\n",
        "",
        "hanging_run_test:*HangingKernel.Poisons*",
    ),
    _sibling(
        "chip_worker: a device with a negative number",
        _WORKER_FILE,
        "options.device_id < 0",
        "options.device_id < -100",
        "worker_test:Worker.RefusesANegative*",
    ),
    _sibling(
        "turn: the time of a wait is not looked at",
        "cpp/isolate/turn.cpp",
        "wait_for(lock, std::chrono::nanoseconds(ns), is_free)) return false;",
        "wait_for(lock, std::chrono::nanoseconds(ns), is_free)) return taken_ = true;",
        "hanging_run_test:Worker.LetsAWaiting*",
    ),
)

_REPORT: Final = "python/chiphost/scenes/report.py"
_SCENE: Final = "python/chiphost/scene.py"
_COMPARISON: Final = "python/chiphost/_scene/comparison.py"
_CACHE: Final = "python/chiphost/_compiling/cache.py"
_HEADERS: Final = "python/chiphost/_compiling/headers.py"
_PYTHON: Final = (
    _required(
        "run: all cases are the usual ones",
        "python/chiphost/_cli/run.py",
        "        return list(entry.scene.cases)\n",
        "        return None\n",
        "simpler/test_simpler_scenes.py::test_run_takes_all_cases_of_one",
    ),
    _sibling(
        "report: the message of a stall is shown twice",
        _REPORT,
        "lines = case.stall_report.splitlines()[1:]",
        "lines = case.stall_report.splitlines()",
        "scenes/test_report.py::test_a_stall_is_shown_without_its_message_which_the_error_has",
    ),
    _required(
        "report: a fault of the scene itself is not in JUnit",
        _REPORT,
        "if result.failed and not any(case.error for case in result.cases):",
        "if result.failed and not result.cases:",
        "scenes/test_report.py::test_junit_has_a_fault_of_the_scene_itself",
    ),
    _sibling(
        "report: the 13rd time",
        _REPORT,
        "in (11, 12, 13)",
        "in (11, 12)",
        "scenes/test_report.py",
    ),
    _sibling(
        "report: a seed is not repeated",
        _REPORT,
        "*cases, *seed.words(), *options]",
        "*cases, *options]",
        "scenes/test_report.py",
    ),
    _sibling(
        "report_file: a failed write leaves a file",
        "python/chiphost/_reports/file.py",
        "                temporary.unlink()\n",
        "                pass\n",
        "reports/test_report_file.py",
    ),
    _sibling(
        "junit: what XML has no place for",
        "python/chiphost/_reports/junit.py",
        "test = TestCase(one_line(case.name), ",
        "test = TestCase(case.name, ",
        "reports/test_junit.py",
    ),
    _required(
        "comparison: unsigned outputs may be off by the tolerance",
        _COMPARISON,
        'exact = want.dtype.kind in "biu"',
        'exact = want.dtype.kind in "bi"',
        "scenes/test_comparison.py::test_no_tolerance_is_for_integers",
    ),
    _required(
        "scenes_run: the tasks of all rounds are counted",
        "python/chiphost/scenes/run.py",
        "        out_tally.tasks = sum(",
        "        out_tally.tasks = (out_tally.tasks or 0) + sum(",
        "scenes/test_runner.py::test_tasks_are_those_of_one_round",
    ),
    _sibling(
        "comparison: a difference to infinity",
        _COMPARISON,
        "right = np.isfinite(want) & (difference",
        "right = (difference",
        "scenes/test_comparison.py::test_check_knows_nan_and_infinity",
    ),
    _sibling(
        "comparison: no number is no number",
        _COMPARISON,
        " | (np.isnan(wide) & np.isnan(want))",
        "",
        "scenes/test_comparison.py::test_check_knows_nan_and_infinity",
    ),
    _sibling(
        "scene: all cases have the same random numbers",
        _SCENE,
        'f"{scene}\\0{case}".encode(',
        'f"{scene}".encode(',
        "scenes/test_scene.py::test_random_numbers_depend_on_seed_scene_and_case",
    ),
    _sibling(
        "scene: a run writes into the inputs",
        _SCENE,
        "return {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in args.items()}",
        "return dict(args)",
        "scenes/test_comparison.py::test_check_notices_a_changed_input",
        "scenes/test_runner.py",
    ),
    _required(
        "cache: the most recently used goes first",
        _CACHE,
        "in sorted(kept):",
        "in sorted(kept, reverse=True):",
        "compiling/test_cache_pruning.py::test_the_size_is_limited",
        "compiling/test_cache_pruning.py::test_what_was_used_last_stays",
    ),
    _required(
        "headers: an edit of the same size whose time is set back",
        _HEADERS,
        "return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev)",
        "return (status.st_mtime_ns, 0, status.st_size, status.st_ino, status.st_dev)",
        "compiling/test_cache_and_changes.py::test_an_edit_of_the_same_size_with_the_time_set_back_is_seen",
    ),
    _required(
        "batch: a variable of the key is forgotten",
        "python/chiphost/_compiling/batch.py",
        '    "COMPILER_PATH",\n',
        "",
        "compiling/test_compile_cache.py::test_each_variable_counts[COMPILER_PATH]",
    ),
    _required(
        "host_toolchain: what a wrapper says to --version is no matter",
        "python/chiphost/_compiling/host_toolchain.py",
        "repr((command[1:], stamps, version_text, target))",
        "repr((command[1:], stamps, target))",
        "compiling/test_compile_cache.py::test_a_wrapper_that_calls_another_compiler_counts",
    ),
    _sibling(
        "private_folder: others may exchange what is in a folder above",
        "python/chiphost/_system/private_folder.py",
        "if (by_all or by_group) and not status.st_mode & stat.S_ISVTX:",
        "if False:",
        "compiling/test_cache_folder.py::test_a_folder_above_that_others_may_write_to_is_refused",
    ),
    _sibling(
        "cache: everything goes when something must",
        _CACHE,
        "            excess -= size\n",
        "",
        "compiling/test_cache_pruning.py::test_the_size_is_limited",
    ),
    _sibling(
        "cache: a damaged program is used",
        _CACHE,
        "return compiled if compiled.digest == digest else None",
        "return compiled",
        "compiling/test_cache_damage.py::test_a_damaged_entry_is_a_miss_and_is_repaired",
    ),
    _sibling(
        "headers: a damaged manifest is used",
        _HEADERS,
        "if hashlib.sha256(payload).hexdigest().encode() != digest:",
        "if not digest:",
        "compiling/test_cache_damage.py::test_any_changed_byte_of_a_manifest_is_noticed",
    ),
    _sibling(
        "private_folder: a use is not noted",
        "python/chiphost/_system/private_folder.py",
        "                        os.utime(descriptor)\n",
        "                        pass\n",
        "compiling/test_cache_pruning.py::test_what_nobody_used_goes_first",
    ),
    _sibling(
        "headers: time and size say whether a file has changed",
        _HEADERS,
        "return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev)",
        "return (status.st_mtime_ns, 0, status.st_size, 0, status.st_dev)",
        "compiling/test_cache_and_changes.py::test_a_digest_is_remembered_only_while_the_file_is_the_same",
    ),
    _sibling(
        "headers: a new header is not looked for",
        _HEADERS,
        "return _visible(record.folders, record.names, record.climbing, snapshot) == record.visible",
        "return True",
        "compiling/test_cached_headers.py::test_a_header_that_appears_earlier_in_the_path_is_seen",
    ),
    _sibling(
        "audit: names of all symbols are shown",
        "python/chiphost/audit/finding.py",
        "tuple(names[:_SYMBOLS_MAX]),",
        "tuple(names),",
        "audit/test_audit_finding.py",
    ),
)

_SHARING: Final = "python/chiphost/audit/sharing.py"
_LOADING: Final = "python/chiphost/audit/loading.py"
_AUDIT: Final = (
    _required(
        "audit: a unique symbol in a dependency only",
        _SHARING,
        '(file.flag("DF_1_NODELETE") or _unique(file))',
        'file.flag("DF_1_NODELETE")',
        "audit/test_audit_dependencies.py::test_a_unique_symbol_in_a_dependency_only",
    ),
    _required(
        "audit: a library that the program has",
        _SHARING,
        "itself = any(_same_library(owner, file) for owner in owners)",
        "itself = False",
        "audit/test_audit_clashes.py::test_a_library_that_the_program_has",
    ),
    _required(
        "audit: why speaks of a later strategy",
        "python/chiphost/audit/verdict.py",
        "passed_over = refused[: STRATEGIES.index(strategy)]",
        "passed_over = refused",
        "audit/test_audit.py::test_why_speaks_of_what_was_passed_over_only",
    ),
    _required(
        "audit: own thread-local storage above the reserve",
        _LOADING,
        'copy="no" if for_copy > reserve else "care" if own else "ok",',
        'copy="care" if own else "ok",',
        "audit/test_audit.py::test_more_thread_local_storage_than_the_reserve",
    ),
    _required(
        "audit: a dependency without version definitions",
        _LOADING,
        '        and (library.version_definitions or "DT_VERSYM" not in library.dynamic)\n',
        "",
        "audit/test_audit_dependencies.py::test_versions_of_dependencies",
    ),
    _sibling(
        "audit: storage of a dependency above the reserve",
        _LOADING,
        "    for_copy = own + sum(\n",
        "    for_copy = own + 0 * sum(\n",
        "audit/test_audit_dependencies.py::test_thread_local_storage_of_a_dependency_above_the_reserve",
    ),
    _sibling(
        "audit: a variable that the program has too",
        _SHARING,
        "                state.append(symbol.name)\n",
        "                pass\n",
        "audit/test_audit_clashes.py::test_a_copy_of_what_the_program_has_shares_its_variables",
    ),
    _sibling(
        "audit: a child has the program's symbols",
        _LOADING,
        '"no" if set(names) - subject.of_the_child else "ok"',
        '"ok"',
        "audit/test_audit_clashes.py::test_symbols_of_the_program_are_in_no_namespace_and_no_child",
    ),
    _sibling(
        "audit: no descriptors left is a missing dependency",
        "python/chiphost/_elf/dependencies.py",
        "                raise\n            if number",
        "                return None\n            if number",
        "audit/test_audit_dependencies.py::test_too_many_open_files_are_no_missing_dependency",
    ),
    _sibling(
        "audit: locks through a pointer",
        "python/chiphost/_elf/calls.py",
        "                found.unknown += 1  # a pointer in its data: its callers cannot be told\n",
        "                pass\n",
        "audit/test_audit_calls.py::test_locks_of_files",
    ),
)

DEFECTS: Final[tuple[Defect, ...]] = (
    *_HOST,
    *_SCHEDULER,
    *_ORCHESTRATOR,
    *_SIM,
    *_FILES,
    *_ISOLATE,
    *_WORKER,
    *_PYTHON,
    *_AUDIT,
)

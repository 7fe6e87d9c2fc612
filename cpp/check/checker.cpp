// SPDX-License-Identifier: Apache-2.0
//
// A run from its beginning to its report: which memory there is, which graph, which races.
#include "checker.h"

#include <string.h>

#include <algorithm>
#include <utility>

#include "chiphost/abi/host_runtime.h"
#include "chiphost/hand_over.h"
#include "race_search.h"

namespace chiphost::check {

namespace {

template <typename T>
const T* at(uint64_t address) {
    return reinterpret_cast<const T*>(address);
}

}  // namespace

Checker::Checker(uint64_t begin, uint64_t end, uint32_t line_bytes)
    : begin_(begin),
      end_(end),
      line_bytes_(line_bytes),
      shadow_(begin, end),
      orchestration_(std::make_unique<Actor>(&pages_, &shadow_)) {
    recorder_.checker = this;
    AccessRecorder& record = recorder_.record;
    record.format = recorder_format;
    record.begin = begin;
    record.bytes = end - begin;
    record.states = shadow_.distance();
    record.access = [](AccessRecorder* self, uint64_t address, uint64_t bytes, uint32_t write, const void* code) {
        reinterpret_cast<Recorder*>(self)->checker->access(address, bytes, write != 0, code);
    };
    record.atomic = [](AccessRecorder* self, uint64_t address, uint64_t bytes, AtomicUse use, uint32_t after,
                       const void* code) {
        reinterpret_cast<Recorder*>(self)->checker->atomic(address, bytes, use, after, code);
    };
    record.flush = [](AccessRecorder* self, uint64_t address, uint64_t bytes) {
        reinterpret_cast<Recorder*>(self)->checker->flush(address, bytes);
    };
    record.block_copy = [](AccessRecorder* self, uint32_t begins) {
        reinterpret_cast<Recorder*>(self)->checker->block_copy(begins != 0);
    };
    observer_.self = this;
    observer_.submitted = [](void* self, const graph::Submission& submission) {
        static_cast<Checker*>(self)->submitted(submission);
    };
    observer_.waits = [](void* self, int64_t producer, int64_t consumer) {
        static_cast<Checker*>(self)->waits(producer, consumer);
    };
    observer_.depends = [](void* self, int64_t producer, int64_t consumer) {
        static_cast<Checker*>(self)->depends(producer, consumer);
    };
    observer_.completed = [](void* self, int64_t task) {
        auto& checker = *static_cast<Checker*>(self);
        if (const uint32_t submission = checker.submission_of(task); submission != none) {
            checker.is_over_[submission] = 1;
        }
    };
    observer_.scope_ended = [](void* self, uint32_t scope) { static_cast<Checker*>(self)->scope_ended(scope); };
    observer_.element = [](void* self, const ch_device_tensor& element, bool write, uint64_t code) {
        static_cast<Checker*>(self)->element(element, write, code);
    };
    switch_to(nullptr);
}

Checker::~Checker() = default;

// The whole of a tensor's buffer, which the tensor is the first view of.
Memory Checker::describe(const ch_device_tensor& tensor, Memory::Kind kind, uint32_t number) {
    Memory memory;
    memory.kind = kind;
    memory.number = number;
    memory.bytes = tensor.buffer_bytes;
    memory.dtype = tensor.dtype;
    memory.ndims = tensor.ndims;
    memory.has_shape = true;
    memcpy(memory.shape, tensor.shape, sizeof memory.shape);
    return memory;
}

void Checker::allocated(uint64_t address, uint64_t bytes, bool zeroed) {
    memory_.allocated(address, bytes, zeroed);
    fresh_.push_back({address, address + bytes, false});
}

void Checker::released(uint64_t address) {
    memory_.released(address);
    for (Allocation& allocation : fresh_) {
        if (allocation.begin == address) allocation.freed = true;
    }
}

void Checker::copied_in(uint64_t address, uint64_t bytes) {
    memory_.written(address, address + bytes);
}

// What the host copies back is a result: every byte of it should be somebody's.
bool Checker::copied_out(uint64_t address, uint64_t bytes) {
    if (!launched_ || !(checks_ & init)) return false;
    const uint32_t index = memory_.buffer_at(address);
    if (index == none) return false;
    bool found = false;
    const uint64_t end = address + bytes;
    for (uint64_t from = memory_.written().first_missing(address, end); from != end;) {
        uint64_t to = end;
        memory_.written().for_each_in(from, end, [&](uint64_t begin, uint64_t) { to = std::min(to, begin); });
        const Buffer& buffer = memory_.buffer(index);
        Finding finding;
        finding.check = init;
        finding.what = "unwritten";
        finding.first.actor = Access::Actor::host;
        finding.memory = buffer.memory;
        finding.begin = static_cast<int64_t>(from - buffer.begin);
        finding.end = static_cast<int64_t>(to - buffer.begin);
        findings_.add(std::move(finding));
        found = true;
        from = to == end ? end : memory_.written().first_missing(to, end);
    }
    return found;
}

void Checker::local_memory(uint32_t core, const char* name, uint64_t address, uint64_t bytes) {
    local_memories_.push_back({core, name, address, address + bytes});
}

void Checker::begin_launch(const ch_launch& launch, uint32_t checks, bool locates,
                           const std::vector<NamedMemory>& arrays) {
    checks_ = checks;
    launched_ = true;
    locates_ = locates;
    block_dim_ = launch.block_dim;
    hand_over_ = launch.hand_over;
    if (!locates) {
        findings_.clear();
        unnecessary_edges_ = 0;
    }
    segments_.clear();
    flushes_.clear();
    has_shared_blocks_ = false;
    element_code_.clear();
    order_.clear();
    tasks_.clear();
    is_over_.clear();
    task_of_.clear();
    declared_.clear();
    for (auto& ring : by_ring_) ring.clear();
    rules_.clear();
    inferred_.clear();
    wanted_.clear();
    outputs_of_scope_.clear();
    heaps_.clear();
    local_memories_.clear();
    checked_submission_ = last_event_ = none;
    unread_graph_ = nullptr;
    memory_.begin_run();
    blocks_.assign(block_dim_, BlockOrder{});
    while (cores_.size() < block_dim_ * cores_of_cluster) cores_.push_back(std::make_unique<Actor>(&pages_, &shadow_));
    for (auto& core : cores_) core->active = false;
    orchestration_->active = false;

    const auto& image = *at<graph::Image>(launch.graph);
    if (image.orchestration == 0) {
        add_allocations(launch, arrays);
        unread_graph_ = &image;
    } else {
        read_arguments(*at<graph::Orchestration>(image.orchestration));
    }
}

// What the orchestration of a host_build_graph has allocated: all since the run began but the frame's own.
void Checker::add_allocations(const ch_launch& launch, const std::vector<NamedMemory>& arrays) {
    uint32_t number = 0;
    for (const Allocation& allocation : fresh_) {
        const uint64_t own[] = {launch.graph, launch.kernels, launch.payloads, launch.hand_over, launch.status};
        if (std::any_of(std::begin(own), std::end(own),
                        [&](uint64_t address) { return address >= allocation.begin && address < allocation.end; })) {
            continue;
        }
        const auto array = std::find_if(arrays.begin(), arrays.end(),
                                        [&](const NamedMemory& each) { return each.begin == allocation.begin; });
        Memory memory;
        if (array != arrays.end()) {
            memory = array->memory;
        } else {
            memory.kind = Memory::Kind::allocation;
            memory.number = number++;
        }
        memory.bytes = allocation.end - allocation.begin;
        const uint32_t index = memory_.add_buffer(memory, allocation.begin, allocation.end);
        if (allocation.freed) memory_.buffer(index).state = Buffer::State::freed;
    }
}

// Reads the tasks that the host has put into the image. A kernel may write there by mistake, and says so before.
void Checker::read_host_graph() {
    const graph::Image& image = *std::exchange(unread_graph_, nullptr);
    const auto* tasks = at<graph::Task>(image.tasks);
    image_tensors_[0] = image.tensors;
    image_tensors_[1] = image.tensors + image.tensor_count * sizeof(ch_device_tensor);
    for (auto* numbers : {&task_of_, &by_ring_[0]}) numbers->reserve(image.task_count);
    tasks_.reserve(image.task_count);
    is_over_.reserve(image.task_count);
    for (uint32_t index = 0; index < image.task_count; ++index) {
        const graph::Task& task = tasks[index];
        add_task(task.id, task.submitted_from, task.block_num);
        by_ring_[0].push_back(index);
        const auto* words = at<uint64_t>(image.args) + task.first_arg;
        for (uint32_t i = 0; i < task.arg_count; ++i) {
            uint64_t address = words[i];
            if (address >= image_tensors_[0] && address < image_tensors_[1]) {
                address = at<ch_device_tensor>(address)->buffer;
            }
            if (address < begin_ || address >= end_) continue;
            const uint32_t buffer = memory_.buffer_at(address);
            if (buffer == none || memory_.buffer(buffer).state != Buffer::State::live) continue;
            declared_.push_back({static_cast<uint16_t>(i), -1, buffer});
            ++tasks_[index].declared_count;
        }
    }
    read_host_edges(image);
}

void Checker::read_host_edges(const graph::Image& image) {
    const auto* tasks = at<graph::Task>(image.tasks);
    const auto* edges = at<graph::Edge>(image.edges);
    for (uint32_t from = 0; from < image.task_count; ++from) {
        for (uint32_t edge = tasks[from].first_edge; edge != graph::none; edge = edges[edge].next) {
            order_.add_edge(from, edges[edge].successor);
        }
    }
}

void Checker::read_arguments(const graph::Orchestration& plan) {
    for (const graph::Ring& ring : plan.rings)
        heaps_.push_back({ring.heap, ring.heap + ring.heap_bytes + ring.heap_slack});
    const auto& args = *at<ch_device_args>(plan.args);
    for (uint32_t i = 0; i < args.tensor_count; ++i) {
        const ch_device_tensor& tensor = args.tensors[i];
        const uint32_t known = memory_.buffer_at(tensor.buffer);
        if (known != none && memory_.buffer(known).begin == tensor.buffer) continue;  // the same array twice
        memory_.add_buffer(describe(tensor, Memory::Kind::argument, tensor.number), tensor.buffer,
                           tensor.buffer + tensor.buffer_bytes);
    }
}

uint32_t Checker::add_task(int64_t id, uint64_t code, uint32_t block_num) {
    const auto submission = static_cast<uint32_t>(tasks_.size());
    const uint32_t node = order_.add_node();
    task_of_.push_back(submission);
    is_over_.push_back(0);
    Task& task = tasks_.emplace_back();  // filled where it is: a copy would have to wait for the stores
    task.id = id;
    task.submitted[0] = code;
    task.node = node;
    task.first_declared = static_cast<uint32_t>(declared_.size());
    task.declared_count = 0;
    task.block_num = block_num;
    return submission;
}

uint32_t Checker::submission_of(int64_t id) const {
    const auto ring = static_cast<uint64_t>(id) >> 32;
    const auto number = static_cast<uint32_t>(id);
    if (ring >= graph::ring_count || number >= by_ring_[ring].size()) return none;
    return by_ring_[ring][number];
}

void Checker::end_launch() {
    if (checked_submission_ != none) check_edges(checked_submission_);
    checked_submission_ = none;
    for (auto& core : cores_) {
        if (core->active) end_segment(*core);  // it was cut off
        core->active = false;
        core->forget();
    }
    if (orchestration_->active) end_segment(*orchestration_);
    orchestration_->active = false;
    orchestration_->forget();
    switch_to(nullptr);
    task_count_ = tasks_.size();
    if (const graph::Image* const image = std::exchange(unread_graph_, nullptr)) {
        // No kernel has touched memory that is looked at. What remains is to count.
        task_count_ = image->task_count;
        order_.add_nodes(image->task_count);
        read_host_edges(*image);
    }
    order_.finish();
    if (!locates_ && (checks_ & races)) find_races();
    if (!locates_ && (checks_ & coherence)) find_incoherences();
    locates_ = false;
}

void Checker::find_races() {
    RaceSearch search(segments_, order_);
    for (uint32_t index = 0; index < memory_.buffer_count(); ++index) {
        const Buffer& buffer = memory_.buffer(index);
        search.add(index, buffer.begin, buffer.end, buffer.uses);
    }
    for (const Race& race : search.find()) {
        Finding finding;
        finding.check = races;
        const bool atomic = race.first.action == Action::atomic && race.second.action == Action::atomic;
        finding.what = atomic                  ? "atomic"
                       : !race.first.writes()  ? "write_after_read"
                       : !race.second.writes() ? "read_after_write"
                                               : "write_after_write";
        const Buffer& buffer = memory_.buffer(race.buffer);
        finding.memory = buffer.memory;
        finding.begin = static_cast<int64_t>(race.begin - buffer.begin);
        finding.end = static_cast<int64_t>(race.end - buffer.begin);
        finding.has_second = true;
        finding.first = access_of(race.first, buffer);
        finding.second = access_of(race.second, buffer);
        finding.first.first_byte = finding.second.first_byte = finding.begin;
        findings_.add_apart(std::move(finding));
    }
    if (!std::is_sorted(inferred_.begin(), inferred_.end())) std::sort(inferred_.begin(), inferred_.end());
    inferred_.erase(std::unique(inferred_.begin(), inferred_.end()), inferred_.end());
    for (const TaskOrder::Pair& edge : inferred_) {
        unnecessary_edges_ += !std::binary_search(search.meetings().begin(), search.meetings().end(), edge);
    }
}

std::string Checker::report() const {
    Findings findings = findings_;
    findings.merge();
    return to_json(findings, checks_, task_count_, order_.edge_count(), unnecessary_edges_);
}

}  // namespace chiphost::check

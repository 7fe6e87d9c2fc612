// SPDX-License-Identifier: Apache-2.0
//
// The graph as the orchestration builds it: nodes, edges, and whether the runtime has made those that its rules want.
#include <algorithm>

#include "checker.h"

namespace chiphost::check {

void Checker::submitted(const graph::Submission& submission) {
    if (!wanted_.empty()) check_edges(checked_submission_);
    if (!orchestration_->footprint.empty()) end_segment(*orchestration_);
    const ch_task_spec& spec = *submission.spec;
    const uint32_t index = add_task(submission.id, submission.code, spec.block_num);
    Task& task = tasks_[index];
    const AccessRecorder& record = recorder_.record;
    uint32_t depth = std::min(record.depth, AccessRecorder::stack_max);
    for (size_t call = 1; call < task.submitted.size() && depth > 0; ++call) {
        task.submitted[call] = reinterpret_cast<uint64_t>(record.stack[--depth]);
    }
    auto& ring = by_ring_[static_cast<uint64_t>(submission.id) >> 32];
    const auto number = static_cast<uint32_t>(submission.id);
    if (ring.size() < number) ring.resize(number, none);
    if (ring.size() == number) {
        ring.push_back(index);
    } else {
        ring[number] = index;
    }

    wanted_.clear();
    made_.clear();
    const auto wait_for = [&](uint32_t node, bool inferred) {
        order_.add_edge(node, task.node);
        if (task_of_[node] != none) wanted_.push_back(node);
        if (inferred) inferred_.push_back({node, task.node});
    };
    if (last_event_ != none) order_.add_edge(last_event_, task.node);
    for (uint32_t i = 0; i < spec.after_count; ++i) {
        if (const uint32_t producer = submission_of(spec.after[i]); producer != none) {
            wait_for(tasks_[producer].node, false);
        }
    }
    tracked_.clear();
    uint32_t outputs = 0;
    for (uint32_t i = 0; i < spec.tensor_count; ++i) {
        const ch_task_tensor& used = spec.tensors[i];
        uint32_t buffer = none;
        if (used.role == CH_ROLE_OUTPUT) {
            const ch_device_tensor& made = submission.outputs[outputs];
            Memory memory = describe(made, Memory::Kind::output, outputs++);
            memory.submission = index;
            buffer = memory_.add_buffer(memory, made.buffer, made.buffer + made.buffer_bytes);
            outputs_of_scope_.push_back({submission.scope, buffer});
            memory_.forgotten(made.buffer, made.buffer + made.buffer_bytes);
            if (used.spec->has_initial) memory_.written(made.buffer, made.buffer + made.buffer_bytes);
        } else {
            const ch_device_tensor& tensor = *used.tensor;
            buffer = memory_.buffer_at(tensor.buffer);
            if (const uint32_t owner = submission_of(tensor.owner); tensor.owner >= 0 && owner != none) {
                wait_for(tasks_[owner].node, false);
            }
            if (used.role != CH_ROLE_NO_DEP && !(tensor.flags & CH_TENSOR_MANUAL_DEP)) {
                tracked_.push_back({buffer, graph::region_of(tensor), used.role != CH_ROLE_INPUT});
            }
        }
        declared_.push_back({static_cast<uint16_t>(i), static_cast<int16_t>(used.role), buffer});
        ++task.declared_count;
    }
    for (const Tracked& use : tracked_) {
        if (!submission.automatic) break;
        rules_.find(use.buffer, use.region, use.write, [&](uint32_t node) { wait_for(node, true); });
    }
    for (const Tracked& use : tracked_) rules_.add(use.buffer, use.region, use.write, task.node);
    checked_submission_ = index;
}

void Checker::waits(int64_t producer, int64_t consumer) {
    const uint32_t before = submission_of(producer);
    if (before == none || submission_of(consumer) != checked_submission_) return;
    made_.push_back(tasks_[before].node);
}

// Compares the edges that the rules want with those that the runtime has made.
void Checker::check_edges(uint32_t submission) {
    for (const uint32_t node : wanted_) {
        if (is_over_[task_of_[node]] || std::find(made_.begin(), made_.end(), node) != made_.end()) continue;
        Finding finding;
        finding.check = races;
        finding.what = "missing_edge";
        finding.has_second = true;
        const auto task_access = [&](uint32_t number) {
            Access access;
            access.submission = number;
            access.id = tasks_[number].id;
            access.block_num = tasks_[number].block_num;
            access.submitted = offsets_of(tasks_[number].submitted);
            return access;
        };
        finding.first = task_access(task_of_[node]);
        finding.second = task_access(submission);
        add_finding(std::move(finding));
    }
    wanted_.clear();
}

void Checker::depends(int64_t producer, int64_t consumer) {
    const uint32_t before = submission_of(producer);
    const uint32_t after = submission_of(consumer);
    if (before != none && after != none) order_.add_edge(tasks_[before].node, tasks_[after].node);
}

// What tasks of the scope have made may be another task's memory from now on.
void Checker::scope_ended(uint32_t scope) {
    while (!outputs_of_scope_.empty() && outputs_of_scope_.back().first >= scope) {
        memory_.buffer(outputs_of_scope_.back().second).state = Buffer::State::expired;
        outputs_of_scope_.pop_back();
    }
}

// A node for what the orchestration does next: it comes after all that it has done, and before what it submits later.
uint32_t Checker::orchestration_node() {
    const uint32_t node = order_.add_node();
    task_of_.push_back(none);
    if (last_event_ != none) order_.add_edge(last_event_, node);
    last_event_ = node;
    return node;
}

void Checker::element(const ch_device_tensor& tensor, bool write, uint64_t code) {
    if (checked_submission_ != none) check_edges(checked_submission_);
    checked_submission_ = none;
    end_segment(*orchestration_);
    const uint32_t buffer = memory_.buffer_at(tensor.buffer);
    if (buffer == none) return;
    const uint32_t node = orchestration_node();
    if (const uint32_t owner = submission_of(tensor.owner); tensor.owner >= 0 && owner != none) {
        order_.add_edge(tasks_[owner].node, node);
    }
    rules_.find(buffer, graph::region_of(tensor), write, [&](uint32_t other) { order_.add_edge(other, node); });
    const uint64_t end = tensor.address + ch_dtype_bytes(tensor.dtype);
    const uint32_t segment = segments_.add({node, -1, 0, {}, -1, -1});
    element_code_[segment] = code;
    memory_.buffer(buffer).uses.push_back(
        {tensor.address, end, segment, write ? Action::write : Action::read, AtomicUse::load});
    if (write) {
        memory_.written(tensor.address, end);
        return;
    }
    if (memory_.written().first_missing(tensor.address, end) == end || !(checks_ & init)) return;
    Finding finding;
    finding.check = init;
    finding.what = "unwritten";
    finding.first.actor = Access::Actor::orchestration;
    finding.first.code.push_back(offset_of(code));
    finding.memory = memory_.buffer(buffer).memory;
    finding.begin = static_cast<int64_t>(tensor.address - memory_.buffer(buffer).begin);
    finding.end = finding.begin + static_cast<int64_t>(end - tensor.address);
    add_finding(std::move(finding));
}

}  // namespace chiphost::check

// SPDX-License-Identifier: Apache-2.0
#include "graph_builder.h"

#include <stdio.h>

#include <algorithm>

#include "chiphost/align.h"
#include "status/report.h"

namespace chiphost::graph {

namespace {

// Cells of a queue for this many tasks: a power of two; a queue of one cell could not tell full from empty.
uint32_t queue_capacity(uint32_t tasks) {
    uint32_t power = 2;
    while (power < tasks) power *= 2;
    return tasks == 0 ? 0 : power;
}

// "2x3 at 0x1000": the lengths of a tensor and the address of its first element.
std::string describe_tensor(const ch_device_tensor& tensor) {
    std::string text = "tensor";
    for (uint32_t dim = 0; dim < tensor.ndims; ++dim) {
        text += (dim == 0 ? " " : "x") + std::to_string(tensor.shape[dim]);
    }
    char address[24];  // " at 0x", 16 digits and the end
    snprintf(address, sizeof address, " at 0x%llx", static_cast<unsigned long long>(tensor.address));
    return text + address;
}

// Keeps memory for the next graph, but not that of one exceptional graph for ever.
template <typename T>
void clear_and_trim(std::vector<T>* values) {
    constexpr size_t bytes_worth_keeping = 1 << 20;
    const size_t used = values->size();
    values->clear();
    if (values->capacity() * sizeof(T) > bytes_worth_keeping && values->capacity() / 4 > used) values->shrink_to_fit();
}

}  // namespace

void GraphBuilder::clear() {
    clear_and_trim(&tasks_);
    clear_and_trim(&edges_);
    clear_and_trim(&args_);
    clear_and_trim(&tensors_);
    clear_and_trim(&tensor_args_);
    clear_and_trim(&cells_);
    for (uint32_t& count : tasks_of_) count = 0;
    forward_only_ = true;
}

uint32_t GraphBuilder::add_task(Shape shape, uint16_t func_id, const uint64_t* args, uint32_t arg_count,
                                uint64_t submitted_from) {
    const size_t index = tasks_.size();
    if (index >= task_limit_ || args_.size() + arg_count >= none) return none;
    Task& task = tasks_.emplace_back();
    task.first_edge = none;
    task.first_arg = static_cast<uint32_t>(args_.size());
    task.arg_count = static_cast<uint16_t>(arg_count);
    task.cores = shape == Shape::aic ? aic_bit : aiv0_bit;
    task.shape = shape;
    task.func_id[shape == Shape::aic ? 0 : 1] = func_id;
    task.block_num = 1;
    task.unfinished = 1;
    task.id = static_cast<int64_t>(index);
    task.submission = index;
    task.submitted_from = submitted_from;
    ++tasks_of_[static_cast<uint32_t>(shape)];
    args_.insert(args_.end(), args, args + arg_count);
    return static_cast<uint32_t>(index);
}

void GraphBuilder::set_tensor(uint32_t task, uint32_t arg, const ch_device_tensor& tensor) {
    tensor_args_.push_back(tasks_[task].first_arg + arg);
    tensors_.push_back(tensor);
    tensors_.back().reserved = 0;
}

bool GraphBuilder::add_edge(uint32_t from, uint32_t to) {
    if (edges_.size() >= edge_limit_) return false;
    edges_.push_back({to, tasks_[from].first_edge});
    tasks_[from].first_edge = static_cast<uint32_t>(edges_.size() - 1);
    ++tasks_[to].unmet;
    forward_only_ = forward_only_ && from < to;
    return true;
}

// Kahn's algorithm: takes away tasks that wait for nothing until none is left, or only cycles and what follows them.
Status GraphBuilder::check(const KernelNames& names, ch_error* out_error) const {
    if (forward_only_) return CH_OK;
    std::vector<uint32_t> unmet(tasks_.size());
    std::vector<uint32_t> ready;
    for (uint32_t i = 0; i < tasks_.size(); ++i) {
        unmet[i] = tasks_[i].unmet;
        if (unmet[i] == 0) ready.push_back(i);
    }
    size_t ordered = 0;
    while (!ready.empty()) {
        const uint32_t index = ready.back();
        ready.pop_back();
        ++ordered;
        for (uint32_t edge = tasks_[index].first_edge; edge != none; edge = edges_[edge].next) {
            if (--unmet[edges_[edge].successor] == 0) ready.push_back(edges_[edge].successor);
        }
    }
    if (ordered == tasks_.size()) return CH_OK;
    const std::vector<uint32_t> cycle = one_cycle(unmet);
    const int32_t code = report(out_error, CH_GRAPH_CYCLE, "graph", "tasks wait for each other: %s",
                                describe_cycle(cycle, names).c_str());
    out_error->task = tasks_[cycle.front()].id;
    return code;
}

// Finds one cycle among the tasks with unmet predecessors: its tasks in the order of the edges, the smallest first.
std::vector<uint32_t> GraphBuilder::one_cycle(const std::vector<uint32_t>& unmet) const {
    // Every task that is left has a predecessor that is left; walking back must come round.
    std::vector<uint32_t> predecessor(tasks_.size(), none);
    uint32_t at = none;
    for (uint32_t from = 0; from < tasks_.size(); ++from) {
        if (unmet[from] == 0) continue;
        for (uint32_t edge = tasks_[from].first_edge; edge != none; edge = edges_[edge].next) {
            if (unmet[edges_[edge].successor] != 0) predecessor[edges_[edge].successor] = from;
        }
        at = from;
    }
    std::vector<bool> seen(tasks_.size(), false);
    while (!seen[at]) {
        seen[at] = true;
        at = predecessor[at];
    }
    std::vector<uint32_t> cycle;
    for (uint32_t task = predecessor[at]; task != at; task = predecessor[task]) cycle.push_back(task);
    cycle.push_back(at);
    std::reverse(cycle.begin(), cycle.end());  // now in the order of the edges, beginning with `at`
    std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
    return cycle;
}

// Says who comes before whom, as far as a message has room.
std::string GraphBuilder::describe_cycle(const std::vector<uint32_t>& cycle, const KernelNames& names) const {
    constexpr size_t bytes_max = CH_ERROR_MESSAGE_BYTES / 4 * 3;
    const auto name_of = [&](uint32_t task) {
        return std::string(names.task(tasks_[task]).text) + code_text(tasks_[task].submitted_from).text;
    };
    const std::string first = name_of(cycle.front());
    std::string text = first + " -> ";
    for (size_t i = 1; i < cycle.size(); ++i) {
        if (text.size() + first.size() > bytes_max) {
            text += "(" + std::to_string(cycle.size() - i) + " more) -> ";
            break;
        }
        text += name_of(cycle[i]) + " -> ";
    }
    return text + first;
}

GraphBuilder::Layout GraphBuilder::layout() const {
    Layout at{};
    at.tasks = align_up(sizeof(Image));
    at.edges = align_up(at.tasks + tasks_.size() * sizeof(Task));
    at.args = align_up(at.edges + edges_.size() * sizeof(Edge));
    at.tensors = align_up(at.args + args_.size() * sizeof(uint64_t));
    at.end = align_up(at.tensors + tensors_.size() * sizeof(ch_device_tensor));
    for (uint32_t shape = 0; shape < shape_count; ++shape) {
        at.capacity[shape] = queue_capacity(tasks_of_[shape]);
        at.cells[shape] = at.end;
        at.end += uint64_t{at.capacity[shape]} * sizeof(QueueCell);
    }
    return at;
}

uint64_t GraphBuilder::image_bytes() {
    return layout().end;
}

// Prepares the queues: tasks that wait for nothing are in them, the other cells are free.
void GraphBuilder::find_ready() {
    const Layout at = layout();
    cells_.resize(size_t{at.capacity[0]} + at.capacity[1] + at.capacity[2]);
    QueueCell* cells[shape_count] = {cells_.data(), cells_.data() + at.capacity[0],
                                     cells_.data() + at.capacity[0] + at.capacity[1]};
    uint32_t ready[shape_count] = {};
    for (uint32_t i = 0; i < tasks_.size(); ++i) {
        if (tasks_[i].unmet != 0) continue;
        const auto shape = static_cast<uint32_t>(tasks_[i].shape);
        cells[shape][ready[shape]++] = {1, i};
    }
    for (uint32_t shape = 0; shape < shape_count; ++shape) {
        for (uint32_t i = ready[shape]; i < at.capacity[shape]; ++i) cells[shape][i] = {0, none};
        image_.queues[shape].capacity = at.capacity[shape];
        image_.queues[shape].tail = ready[shape];
    }
}

std::string GraphBuilder::describe() const {
    std::string text = std::to_string(tasks_.size()) + " tasks, " + std::to_string(edges_.size()) + " edges\n";
    size_t tensor = 0;  // the next that is an argument
    for (const Task& task : tasks_) {
        const bool on_aic = task.shape == Shape::aic;
        text += "  task " + std::to_string(task.id) + (on_aic ? " AIC" : " AIV") + " func " +
                std::to_string(task.func_id[on_aic ? 0 : 1]) + " args (";
        for (uint32_t i = 0; i < task.arg_count; ++i) {
            if (tensor < tensors_.size() && tensor_args_[tensor] == task.first_arg + i) {
                text += (i ? ", " : "") + describe_tensor(tensors_[tensor++]);
                continue;
            }
            char word[24];  // ", 0x", 16 digits and the end
            snprintf(word, sizeof word, "%s0x%llx", i ? ", " : "",
                     static_cast<unsigned long long>(args_[task.first_arg + i]));
            text += word;
        }
        text += ")";
        for (uint32_t edge = task.first_edge; edge != none; edge = edges_[edge].next) {
            text += (edge == task.first_edge ? " -> " : ", ") + std::to_string(edges_[edge].successor);
        }
        text += "\n";
    }
    return text;
}

}  // namespace chiphost::graph

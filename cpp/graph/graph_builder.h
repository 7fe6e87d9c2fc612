// SPDX-License-Identifier: Apache-2.0
//
// Builds a whole graph in host memory, checks it, and lays it out for the device.
#pragma once

#include <stdint.h>

#include <string>
#include <vector>

#include "chiphost/abi/device_tensor.h"
#include "chiphost/abi/error.h"
#include "kernel_names.h"
#include "status/status.h"
#include "task.h"

namespace chiphost::graph {

// Tasks and edges of one run. Memory is in proportion to the graph; a builder that is used again keeps what it needed
// the last time. Not thread-safe. Throws std::bad_alloc.
class GraphBuilder {
public:
    // Ids are int32_t in the interface to orchestrations.
    static constexpr uint32_t tasks_max = INT32_MAX;
    static constexpr uint32_t edges_max = UINT32_MAX - 1;

    void clear();

    // Limits below those of the ids are for tests.
    explicit GraphBuilder(uint32_t task_limit = tasks_max, uint32_t edge_limit = edges_max)
        : task_limit_(task_limit), edge_limit_(edge_limit) {}

    uint32_t task_count() const { return static_cast<uint32_t>(tasks_.size()); }
    const Task& task(uint32_t index) const { return tasks_[index]; }

    // Adds a task that runs one kernel on one core. Returns its index, none if there are too many tasks or words.
    // `submitted_from` is the return address of the orchestration's call, for messages.
    uint32_t add_task(Shape shape, uint16_t func_id, const uint64_t* args, uint32_t arg_count,
                      uint64_t submitted_from = 0);

    // Argument `arg` of the task, which is the last one, becomes the device address of a copy of the tensor. Called in
    // the order of the arguments.
    void set_tensor(uint32_t task, uint32_t arg, const ch_device_tensor& tensor);

    // `to` starts after `from`. Both are indices of tasks. False if there are too many edges.
    bool add_edge(uint32_t from, uint32_t to);

    // Checks that the tasks can be put in order. CH_GRAPH_CYCLE names the tasks of one cycle.
    Status check(const KernelNames& names, ch_error* out_error) const;

    // Bytes of the graph in device memory.
    uint64_t image_bytes();

    // Lays the graph out for the device address `base` and calls copy(offset, source, bytes) for each part of the
    // image. The Image record is at offset 0.
    template <typename Copy>
    void write_image(uint64_t base, Copy&& copy);

    // One line a task: id, kernel, arguments, successors.
    std::string describe() const;

private:
    struct Layout {
        uint64_t tasks, edges, args, tensors, cells[shape_count], end;
        uint32_t capacity[shape_count];
    };
    Layout layout() const;
    void find_ready();
    std::vector<uint32_t> one_cycle(const std::vector<uint32_t>& unmet) const;
    std::string describe_cycle(const std::vector<uint32_t>& cycle, const KernelNames& names) const;

    const uint32_t task_limit_, edge_limit_;
    std::vector<Task> tasks_;
    std::vector<Edge> edges_;
    std::vector<uint64_t> args_;
    std::vector<ch_device_tensor> tensors_;
    std::vector<uint32_t> tensor_args_;  // for each tensor the argument word that is its address
    std::vector<QueueCell> cells_;       // of all shapes, one after the other
    Image image_{};
    uint32_t tasks_of_[shape_count] = {};
    bool forward_only_ = true;  // every edge leads to a later task, so there is no cycle
};

template <typename Copy>
void GraphBuilder::write_image(uint64_t base, Copy&& copy) {
    const Layout at = layout();
    find_ready();
    image_.format = image_format;
    image_.task_count = task_count();
    image_.tasks = base + at.tasks;
    image_.edges = base + at.edges;
    image_.args = base + at.args;
    image_.tensors = base + at.tensors;
    image_.tensor_count = tensors_.size();
    for (uint32_t shape = 0; shape < shape_count; ++shape) image_.queues[shape].cells = base + at.cells[shape];
    for (size_t i = 0; i < tensors_.size(); ++i) {
        args_[tensor_args_[i]] = base + at.tensors + i * sizeof(ch_device_tensor);
    }
    copy(uint64_t{0}, &image_, sizeof image_);
    copy(at.tasks, tasks_.data(), tasks_.size() * sizeof(Task));
    copy(at.edges, edges_.data(), edges_.size() * sizeof(Edge));
    copy(at.args, args_.data(), args_.size() * sizeof(uint64_t));
    copy(at.tensors, tensors_.data(), tensors_.size() * sizeof(ch_device_tensor));
    copy(at.cells[0], cells_.data(), cells_.size() * sizeof(QueueCell));
}

}  // namespace chiphost::graph

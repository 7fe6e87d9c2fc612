// SPDX-License-Identifier: Apache-2.0
//
// The task model: what a graph looks like in device memory. Every runtime builds this, the scheduler runs it.
#pragma once

#include <stdint.h>

namespace chiphost::graph {

// Changes whenever the meaning of the structures below, or of those of orchestration.h and of TensorMapEntry, does.
constexpr uint32_t image_format = 4;

// Cores of a cluster that a task uses, as bits of Task::cores.
enum CoreBit : uint8_t { aic_bit = 1, aiv0_bit = 2, aiv1_bit = 4 };

// Which ready queue a task waits in: one core of a type, or several cores of one cluster at once.
enum class Shape : uint8_t { aic = 0, aiv = 1, mix = 2 };
constexpr uint32_t shape_count = 3;

constexpr uint32_t none = UINT32_MAX;

// One task. Tasks are named by their index; successors by a list of edges. One cache line. The fields that several
// AICPU threads change at once are accessed with the __atomic builtins there.
struct alignas(64) Task {
    uint32_t unmet;       // atomic: predecessors that have not completed
    uint32_t first_edge;  // index of the first successor edge; none: no successors; atomic where the graph grows
    uint32_t first_arg;   // index into the argument words
    uint16_t arg_count;
    uint8_t cores;  // CoreBit: which of func_id is valid
    Shape shape;
    uint16_t func_id[3];  // kernels for AIC, AIV0, AIV1
    uint16_t reserved;
    uint32_t block_num;   // SPMD blocks, at least 1
    uint32_t next_block;  // first block not dispatched; used by whoever took the task from its queue
    uint32_t unfinished;  // atomic: blocks times cores that have not completed
    int64_t id;           // what orchestrations name it by
    // Return address of the orchestration's call that submitted it; 0: unknown. For messages, and for the checks of the
    // simulated chip.
    uint64_t submitted_from;
    uint64_t submission;  // number of the call that submitted it, counted from 0
};
static_assert(sizeof(Task) == 64, "Task is a device format");

// An entry of a task's list of successors.
struct Edge {
    uint32_t successor;  // task index
    uint32_t next;       // edge index, none: last
};
static_assert(sizeof(Edge) == 8, "Edge is a device format");

// Closes a list of successors: the task has completed, nobody may be added.
constexpr uint32_t closed = UINT32_MAX - 1;

// Cell of a ready queue (scheduler/ready_queue.h). All zero: free.
struct QueueCell {
    uint32_t lap;  // atomic
    uint32_t task;
};

// A ready queue. Positions count up for ever; the queues of a graph that is built while it runs go on where the run
// before has left them, empty.
struct Queue {
    uint64_t cells;     // QueueCell[capacity]
    uint32_t capacity;  // power of two, at least the number of tasks that may wait at the same time; 0: none ever do
    uint32_t reserved;
    alignas(64) uint32_t head;  // atomic: next position to take from
    alignas(64) uint32_t tail;  // atomic: next position to put into
};

// Image::task_count while the orchestration is still submitting tasks.
constexpr uint64_t unknown_count = UINT64_MAX;

// An image is the graph that the scheduler is given. Addresses are device addresses.
struct Image {
    uint32_t format;  // image_format
    uint32_t reserved;
    uint64_t task_count;  // atomic
    uint64_t tasks;       // Task[]
    uint64_t edges;       // Edge[]
    uint64_t args;        // uint64_t[]
    uint64_t tensors;     // ch_device_tensor[tensor_count]: what arguments point to; 0 in a graph that grows
    uint64_t tensor_count;
    uint64_t orchestration;  // Orchestration (orchestration.h) that builds the graph while it runs; 0: it is complete
    Queue queues[shape_count];
};

}  // namespace chiphost::graph

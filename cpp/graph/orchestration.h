// SPDX-License-Identifier: Apache-2.0
//
// A graph that grows while it runs: what the host prepares in device memory for an orchestration on the AICPU.
#pragma once

#include <stdint.h>

#include "task.h"

namespace chiphost::graph {

// Tasks of scopes at depth 0, 1, 2 and below have a ring each, so that a task of an inner scope can be forgotten while
// an outer scope goes on.
constexpr uint32_t ring_count = 4;

// A slot has what is kept for a task besides its Task, at the same index. It is taken for the next task when nobody
// holds it: neither the task itself, which has not completed; nor its scope, which is open; nor a task that uses its
// tensors. `holds` is atomic, the rest is the orchestrator's, but `first_predecessor`, which is the scheduler's once
// the task is published.
struct alignas(64) Slot {
    int64_t id;
    uint64_t serial;  // number of the task in the run, counted from 1
    uint32_t holds;
    uint32_t first_predecessor;  // index into the predecessors: who is to be let go of on completion
    uint32_t scope;              // serial of the scope it was submitted in
    uint32_t next_in_scope;      // slot
    uint32_t first_use;          // of the tensor map
    uint8_t published;           // 1: it may start as soon as its predecessors have completed
    uint8_t scope_ended;         // 1: what it made must not be used any more
    uint8_t output_count;        // new tensors: the first of the tensors before its argument words
    uint8_t tensor_count;        // all of these
    uint64_t heap_begin;         // positions of the ring where this task's begin
    uint64_t record_begin;
    uint64_t edge_begin;
};
static_assert(sizeof(Slot) == 64, "Slot is a device format");

// Entry of a task's list of predecessors; the edge of the same index is in the predecessor's list of successors.
struct Predecessor {
    uint32_t slot;
    uint32_t next;
};

// Where the parts of a ring are. A ring that scopes share one after the other has more memory than the open ones may
// keep: the slack lets a scope begin behind the tasks of the last one (orchestrator::RingSpan).
struct Ring {
    uint32_t first_slot;
    uint32_t window;        // slots, a power of two
    uint64_t heap;          // device address of the memory that new tensors are made in
    uint64_t heap_bytes;    // what open scopes may keep
    uint64_t heap_slack;    // bytes besides
    uint64_t record_bytes;  // the same for the arguments of tasks
    uint64_t record_slack;
    uint32_t first_record;  // their beginning, as an index into Image::args
    uint32_t first_edge;    // of edge_count edges and predecessors
    uint32_t edge_count;
    uint32_t reserved;
};

enum class RootScope : uint32_t { automatic = 0, manual = 1 };

constexpr uint32_t name_bytes = 256;
constexpr uint32_t key_bytes = 80;

// Made by the host, one for each run. Addresses are device addresses.
struct Orchestration {
    RootScope root_scope;
    uint32_t kernel_count;
    uint64_t kernel_types;  // uint8_t ch_core_type of each func_id, 255: there is no such kernel
    Ring rings[ring_count];
    uint64_t slots;         // Slot, as many as tasks
    uint64_t predecessors;  // Predecessor, as many as edges
    uint64_t found;         // uint32_t, as many as slots: the orchestrator's list of producers
    uint64_t marks;         // uint32_t, as many as slots and one: which of them are in the list
    uint64_t map_entries;   // TensorMapEntry[map_capacity]
    uint64_t map_buckets;   // TensorMapBucket[tensor_map_bucket_count]
    uint32_t map_capacity;
    uint32_t slot_count;
    uint64_t args;     // ch_device_args
    uint64_t library;  // the orchestration's file
    uint64_t library_bytes;
    char library_key[key_bytes];  // content digest
    char library_name[name_bytes];
    char entry[name_bytes];
    uint64_t heap_touched;  // written by the orchestrator: bytes of all heaps that new tensors were made in
};

}  // namespace chiphost::graph

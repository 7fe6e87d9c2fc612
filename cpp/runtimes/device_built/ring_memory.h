// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include "chiphost/abi/host_runtime.h"
#include "graph/orchestration.h"
#include "host/device_buffer.h"
#include "status/status.h"

namespace chiphost::host {

// The rings of a context and all that goes with them, in one piece of device memory: what the AICPU's orchestrator
// works with. They stay reserved from run to run, until other sizes are wanted or they are released.
class RingMemory {
public:
    // The device is borrowed.
    RingMemory(platform::Device* device, graph::RootScope root_scope)
        : device_(device), root_scope_(root_scope), memory_(device) {}
    RingMemory(const RingMemory&) = delete;
    RingMemory& operator=(const RingMemory&) = delete;

    // Reserves rings of a configuration's sizes on a device that has `room` bytes besides the arguments of the run.
    // Sizes that are left to us follow from both alone: what fits must not depend on the runs before.
    // CH_DEVICE_MEMORY_EXHAUSTED.
    Status reserve(const ch_call_config& config, uint64_t room, ch_error* out_error);

    // The plan of the run, to be completed before write().
    graph::Orchestration& plan() { return plan_; }

    // Copies the plan and an empty graph to the device. *out_graph is the address of the graph::Image.
    Status write(uint64_t* out_graph, ch_error* out_error);

    // Reads how many bytes of the heaps the last run has touched.
    Status read_heap_touched(uint64_t* out_bytes, ch_error* out_error);

    // Gives the memory back. Safe to repeat.
    void release() { memory_.release(); }
    uint64_t bytes() const { return memory_.bytes(); }

private:
    struct Sizes {
        uint32_t window;
        uint32_t edges;
        uint64_t heap_bytes;
        bool operator==(const Sizes& other) const {
            return window == other.window && edges == other.edges && heap_bytes == other.heap_bytes;
        }
    };
    // A layout says where in the memory everything is. Addresses count from its beginning.
    struct Layout {
        graph::Image image{};
        graph::Orchestration plan{};
        uint64_t plan_address = 0;
        uint64_t bytes = 0;
    };

    Sizes sizes_for(const ch_call_config& config, uint64_t room) const;
    Layout lay_out(const Sizes& sizes) const;
    Status reserve_sizes(const Sizes& sizes, ch_error* out_error);
    uint64_t base() const;

    platform::Device* const device_;
    const graph::RootScope root_scope_;
    Sizes sizes_{};
    Sizes asked_{};        // what sizes_ was found for: the configuration's,
    uint64_t room_ = 0;    // and the device's
    DeviceBuffer memory_;  // for sizes_
    graph::Image image_{};
    graph::Orchestration plan_{};
    uint64_t plan_address_ = 0;
};

}  // namespace chiphost::host

// SPDX-License-Identifier: Apache-2.0
//
// The part that runtimes have in common whose orchestration runs on the AICPU: the memory of the rings, the arguments
// of a run in device memory, and the orchestration's file.
#pragma once

#include <string>
#include <vector>

#include "graph/orchestration.h"
#include "host/device_buffer.h"
#include "host/run_memory.h"
#include "host/runtime.h"
#include "ring_memory.h"
#include "status/status.h"

namespace chiphost::host {

// One such runtime in one context. The rings stay reserved from run to run, until another size is wanted, a run fails
// half-way, when what they hold is of no use, or a run has touched much of them.
class DeviceBuiltRuntime final : public Runtime {
public:
    DeviceBuiltRuntime(platform::Device* device, graph::RootScope root_scope)
        : device_(device), memory_(device), rings_(device, root_scope), arguments_on_device_(device) {}
    DeviceBuiltRuntime(const DeviceBuiltRuntime&) = delete;
    DeviceBuiltRuntime& operator=(const DeviceBuiltRuntime&) = delete;

    int32_t load(const ch_callable& callable, std::unique_ptr<Orchestration>* out_orchestration,
                 ch_error* out_error) override;
    int32_t build(const RunInput& input, BuiltGraph* out_graph, ch_error* out_error) override;
    int32_t copy_out(ch_error* out_error) override;
    void end_run() override;

private:
    struct Result {
        void* host;
        uint64_t device;
        uint64_t bytes;
        uint32_t argument;
    };

    Status find_alias(const ch_task_args& args, uint32_t index, uint64_t* out_address, ch_error* out_error) const;
    Status place_arguments(const RunInput& input, ch_error* out_error);

    platform::Device* const device_;
    RunMemory memory_;  // the tensors of a run
    RingMemory rings_;
    std::vector<char> arguments_;  // ch_device_args, tensors, scalars, kernel types
    DeviceBuffer arguments_on_device_;
    std::vector<Result> results_;
    bool unfinished_ = false;  // a run has begun and not ended well
    bool give_back_ = false;   // it has used so much memory that the next one gets fresh rings
};

}  // namespace chiphost::host

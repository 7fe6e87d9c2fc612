// SPDX-License-Identifier: Apache-2.0
//
// The context of one worker in a host runtime: a device, a runtime, and what they keep between runs. The same for every
// runtime on every platform.
#pragma once

#include <memory>
#include <vector>

#include "chiphost/abi/host_runtime.h"
#include "launch_area.h"
#include "loaded_callable.h"
#include "reference_outputs.h"
#include "runtime.h"
#include "status/status.h"

namespace chiphost::host {

// Used by one thread at a time. Destroying it closes the device and frees everything.
class HostContext {
public:
    // On failure the context may only be destroyed.
    Status open(const ch_device_options& options, ch_error* out_error);
    ~HostContext();

    Status run(const ch_run_request& request, ch_error* out_error);

private:
    Status explore(const ch_run_request& request, const ch_call_config& config, platform::LaunchOptions options,
                   LoadedCallable& callable, ch_error* out_error);
    Status run_once(const ch_run_request& request, const ch_call_config& config, const platform::LaunchOptions& options,
                    LoadedCallable& callable, ch_error* out_error);
    Status execute(const ch_run_request& request, const ch_call_config& config, platform::LaunchOptions options,
                   LoadedCallable& callable, ch_error* out_error);

    platform::Device* device_ = nullptr;
    uint64_t device_memory_bytes_ = 0;
    std::unique_ptr<Runtime> runtime_;
    std::unique_ptr<LoadedCallables> callables_;
    std::unique_ptr<LaunchArea> launch_area_;
    std::vector<ch_trace_event> trace_;
    // Of the exploration that is under way or was last.
    ReferenceOutputs reference_;
    bool explores_ = false;  // there is one
    bool explored_all_ = false;
    uint64_t schedule_ = 0;  // the number of its last schedule
};

}  // namespace chiphost::host

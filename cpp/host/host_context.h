// SPDX-License-Identifier: Apache-2.0
//
// The context of one worker in a host runtime: a device, a runtime, and what they keep between runs. The same for every
// runtime on every platform.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chiphost/abi/host_runtime.h"
#include "opened_device.h"
#include "reference_outputs.h"
#include "status/status.h"

namespace chiphost::host {

// Used by one thread at a time. Destroying it closes the device and frees everything.
class HostContext {
public:
    // On failure the context may only be destroyed.
    Status open(const ch_device_options& options, ch_error* out_error);

    Status run(const ch_run_request& request, ch_error* out_error);

private:
    Status device_for(const ch_call_config& config, OpenedDevice** out_device, ch_error* out_error);
    Status explore(const ch_run_request& request, const ch_call_config& config, platform::LaunchOptions options,
                   OpenedDevice& device, LoadedCallable& callable, ch_error* out_error);
    Status run_once(const ch_run_request& request, const ch_call_config& config, const platform::LaunchOptions& options,
                    OpenedDevice& device, LoadedCallable& callable, ch_error* out_error);
    Status execute(const ch_run_request& request, const ch_call_config& config, platform::LaunchOptions options,
                   OpenedDevice& device, LoadedCallable& callable, ch_error* out_error);
    Status build(const ch_run_request& request, const ch_call_config& config, OpenedDevice& device,
                 LoadedCallable& callable, BuiltGraph* out_graph, ch_error* out_error);
    Status launch(const ch_run_request& request, const ch_call_config& config, platform::LaunchOptions options,
                  OpenedDevice& device, LoadedCallable& callable, const BuiltGraph& graph, ch_error* out_error);

    std::optional<KeptOptions> options_;
    uint64_t device_memory_bytes_ = 0;
    OpenedDevice plain_;
    // Runs that are checked have a device of their own, opened for the first of them: what one does to the other's
    // memory would be a finding, and none of it costs a run without checks anything.
    std::unique_ptr<OpenedDevice> checked_;
    std::vector<ch_trace_event> trace_;
    std::string check_report_;
    std::string stall_report_;
    // Of the exploration that is under way or was last.
    ReferenceOutputs reference_;
    bool explores_ = false;  // there is one
    bool explored_all_ = false;
    uint64_t schedule_ = 0;  // the number of its last schedule
};

}  // namespace chiphost::host

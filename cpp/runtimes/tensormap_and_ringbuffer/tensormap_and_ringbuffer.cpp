// SPDX-License-Identifier: Apache-2.0
//
// tensormap_and_ringbuffer: the orchestration runs on the AICPU; edges follow from the tensors that tasks read and
// write, and a task may start as soon as it is submitted.
#include "runtimes/device_built/device_built_runtime.h"

namespace chiphost::host {

const char* const runtime_name = "tensormap_and_ringbuffer";

std::unique_ptr<Runtime> make_runtime(platform::Device* device, const ch_anchor*, void*) {
    return std::make_unique<DeviceBuiltRuntime>(device, graph::RootScope::automatic);
}

}  // namespace chiphost::host

// SPDX-License-Identifier: Apache-2.0
//
// aicpu_build_graph: the orchestration runs on the AICPU; edges are those it names, and the tasks of a scope start when
// the scope ends.
#include "runtimes/device_built/device_built_runtime.h"

namespace chiphost::host {

const char* const runtime_name = "aicpu_build_graph";

std::unique_ptr<Runtime> make_runtime(platform::Device* device, const ch_anchor*, void*) {
    return std::make_unique<DeviceBuiltRuntime>(device, graph::RootScope::manual);
}

}  // namespace chiphost::host

// SPDX-License-Identifier: Apache-2.0
//
// The runtimes of chiphost in one program.
#pragma once

#include <stdint.h>

namespace chiphost::conformance {

enum class GraphKind : uint32_t { host_build_graph, aicpu_build_graph, tensormap_and_ringbuffer };

// Chooses the runtime of the host::HostContext that is opened next. One test is run in a process, on one thread.
void choose_runtime(GraphKind kind);

}  // namespace chiphost::conformance

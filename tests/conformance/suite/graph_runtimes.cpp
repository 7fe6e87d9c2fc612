// SPDX-License-Identifier: Apache-2.0
//
// Each runtime defines the same two names, because it is alone in its program. Here they get names of their own.
#include "graph_runtimes.h"

#include "host/runtime.h"

#define runtime_name host_build_graph_name
#define make_runtime make_host_build_graph
#include "runtimes/host_build_graph/host_build_graph.cpp"
#undef runtime_name
#undef make_runtime

#define runtime_name aicpu_build_graph_name
#define make_runtime make_aicpu_build_graph
#include "runtimes/aicpu_build_graph/aicpu_build_graph.cpp"
#undef runtime_name
#undef make_runtime

#define runtime_name tensormap_and_ringbuffer_name
#define make_runtime make_tensormap_and_ringbuffer
#include "runtimes/tensormap_and_ringbuffer/tensormap_and_ringbuffer.cpp"
#undef runtime_name
#undef make_runtime

namespace chiphost {

namespace {

conformance::GraphKind chosen = conformance::GraphKind::host_build_graph;

}  // namespace

namespace conformance {

void choose_runtime(GraphKind kind) {
    chosen = kind;
}

}  // namespace conformance

namespace host {

const char* const runtime_name = "conformance";

std::unique_ptr<Runtime> make_runtime(platform::Device* device, const ch_anchor* anchor, void* anchor_state) {
    switch (chosen) {
        case conformance::GraphKind::host_build_graph:
            return make_host_build_graph(device, anchor, anchor_state);
        case conformance::GraphKind::aicpu_build_graph:
            return make_aicpu_build_graph(device, anchor, anchor_state);
        case conformance::GraphKind::tensormap_and_ringbuffer:
            return make_tensormap_and_ringbuffer(device, anchor, anchor_state);
    }
    return nullptr;
}

}  // namespace host

}  // namespace chiphost

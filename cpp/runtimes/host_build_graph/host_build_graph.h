// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "chiphost/abi/host_orchestration.h"
#include "graph/graph_builder.h"
#include "host/device_buffer.h"
#include "host/run_memory.h"
#include "host/runtime.h"
#include "status/status.h"

namespace chiphost::host_build_graph {

// The runtime in one context. It is itself the graph handle that the orchestration gets.
class HostBuildGraph final : public ch_host_graph, public host::Runtime {
public:
    HostBuildGraph(platform::Device* device, const ch_anchor* anchor, void* anchor_state);
    HostBuildGraph(const HostBuildGraph&) = delete;
    HostBuildGraph& operator=(const HostBuildGraph&) = delete;

    int32_t load(const ch_callable& callable, std::unique_ptr<host::Orchestration>* out_orchestration,
                 ch_error* out_error) override;
    int32_t build(const host::RunInput& input, host::BuiltGraph* out_graph, ch_error* out_error) override;
    int32_t copy_out(ch_error* out_error) override;
    void end_run() override;

private:
    static const ch_host_graph_ops ops;
    static HostBuildGraph& self(ch_host_graph* graph) { return *static_cast<HostBuildGraph*>(graph); }
    template <typename Body>
    int32_t guarded(const char* where, Body&& body);

    void say_where();
    int32_t blame(int32_t code, int32_t func_id);
    int32_t add_task(const uint64_t* args, uint32_t arg_count, int32_t func_id, int32_t core_type);
    int32_t add_tensor_task(const ch_host_argument* args, uint32_t arg_count, int32_t func_id, int32_t core_type);
    int32_t add_successor(int32_t from, int32_t to);
    Status check_tensor(const ch_device_tensor* tensor, uint32_t number);
    int32_t record_tensor_pair(void* host, uint64_t device, uint64_t bytes);
    int32_t copy_to_device(uint64_t device, const void* host, uint64_t bytes);
    void note_copy(uint64_t device, const void* host, uint64_t bytes);
    int32_t print() const;
    Status ship(uint64_t* out_graph, ch_error* out_error);

    // A result that is to be copied back.
    struct TensorPair {
        void* host;
        uint64_t device;
        uint64_t bytes;
    };

    platform::Device* const device_;
    const ch_anchor* const anchor_;
    void* const anchor_state_;
    const ch_fork_mark* const fork_mark_;
    host::DeviceBuffer image_;  // the graph, kept from run to run

    // The current run.
#ifdef CHIPHOST_GRAPH_TASKS_MAX  // a test's build, to come up against them
    graph::GraphBuilder graph_{CHIPHOST_GRAPH_TASKS_MAX, CHIPHOST_GRAPH_EDGES_MAX};
#else
    graph::GraphBuilder graph_;
#endif
    host::RunMemory memory_;
    std::vector<TensorPair> pairs_;
    std::vector<platform::ArgumentCopy> argument_copies_;
    const host::RunInput* input_ = nullptr;
    uint64_t called_from_ = 0;        // return address of the orchestration's call that is under way
    uint32_t calls_ = 0;              // of the orchestration, for looking at progress.cancel now and then
    ch_error error_;                  // the first one
    int64_t failed_submission_ = -1;  // that it is about
};

}  // namespace chiphost::host_build_graph

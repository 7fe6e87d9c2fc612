// SPDX-License-Identifier: Apache-2.0
//
// The part that a runtime adds to the frame that all host runtimes share (host_context.h): how an orchestration becomes
// a graph in device memory, and how results come back.
#pragma once

#include <stdint.h>

#include <memory>
#include <vector>

#include "chiphost/abi/host_runtime.h"
#include "chiphost/platform/device.h"

namespace chiphost::host {

// The kernels of a callable, loaded. They are valid as long as the callable stays loaded.
class KernelTable {
public:
    struct Entry {
        uint64_t address = 0;  // 0: no such kernel
        uint32_t core_type = 0;
    };
    // Returns the entry of a func_id in 0..CH_MAX_FUNC_ID.
    Entry operator[](uint32_t func_id) const { return func_id < entries_.size() ? entries_[func_id] : Entry{}; }
    uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }
    void set(uint32_t func_id, Entry entry) {
        if (func_id >= entries_.size()) entries_.resize(func_id + 1);
        entries_[func_id] = entry;
    }

private:
    std::vector<Entry> entries_;
};

// A runtime's own half of a loaded callable.
class Orchestration {
public:
    virtual ~Orchestration() = default;
};

// A run starts from this. It is valid until end_run().
struct RunInput {
    Orchestration& orchestration;
    const KernelTable& kernels;
    const ch_task_args& args;
    const ch_call_config& config;
    const ch_run_progress& progress;  // progress.cancel asks to stop
    uint64_t device_memory_bytes;     // what the device has, or may use
};

// A graph in device memory.
struct BuiltGraph {
    uint64_t image = 0;       // device address of its graph::Image
    uint64_t task_count = 0;  // 0 also where the device counts them
};

// One runtime in one context. Functions are called on the context's thread, for one run at a time, in the order below.
class Runtime {
public:
    virtual ~Runtime() = default;

    // Loads the orchestration of a callable, once before its first run.
    [[nodiscard]] virtual int32_t load(const ch_callable& callable, std::unique_ptr<Orchestration>* out_orchestration,
                                       ch_error* out_error) = 0;

    // Makes the graph of a run.
    [[nodiscard]] virtual int32_t build(const RunInput& input, BuiltGraph* out_graph, ch_error* out_error) = 0;

    // Copies results to the caller's arrays, after the device has finished without an error.
    [[nodiscard]] virtual int32_t copy_out(ch_error* out_error) = 0;

    // Frees what belongs to the run; called at the end of every run, also of one that failed.
    virtual void end_run() = 0;
};

// Names and maker of the runtime in this library; defined by the runtime.
extern const char* const runtime_name;
std::unique_ptr<Runtime> make_runtime(platform::Device* device, const ch_anchor* anchor, void* anchor_state);

}  // namespace chiphost::host

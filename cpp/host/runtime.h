// SPDX-License-Identifier: Apache-2.0
//
// The part that a runtime adds to the frame that all host runtimes share (host_context.h): how an orchestration becomes
// a graph in device memory, and how results come back. A runtime implements Runtime, and defines `runtime_name` and
// `make_runtime`.
//
// Threads: the context's; one run at a time.
#pragma once

#include <stdint.h>

#include <memory>
#include <vector>

#include "chiphost/abi/host_runtime.h"
#include "chiphost/platform/device.h"
#include "graph/kernel_names.h"
#include "status/report.h"

namespace chiphost::host {

// The kernels of a callable, loaded.
//
// Ownership: the frame's; it is valid as long as the callable stays loaded.
// Errors: none.
class KernelTable {
public:
    // A loaded kernel.
    struct Entry {
        uint64_t address = 0;    // device address; 0: no such kernel
        uint32_t core_type = 0;  // ch_core_type
    };
    // Gives a kernel.
    //
    // func_id: 0 to CH_MAX_FUNC_ID.
    Entry operator[](uint32_t func_id) const { return func_id < entries_.size() ? entries_[func_id] : Entry{}; }
    // Gives the highest func_id and one more.
    uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }
    // Gives the names of the kernels, for messages.
    graph::KernelNames names() const { return {names_.data(), size()}; }
    // Gives the same as a table of `size()` entries.
    const graph::KernelName* name_table() const { return names_.data(); }
    // Adds a kernel; the frame does.
    //
    // func_id: 0 to CH_MAX_FUNC_ID.
    // entry: the loaded kernel.
    // name: for messages; NULL: it has none.
    void set(uint32_t func_id, Entry entry, const char* name) {
        if (func_id >= entries_.size()) {
            entries_.resize(func_id + 1);
            names_.resize(func_id + 1);
        }
        entries_[func_id] = entry;
        if (name) copy_text(names_[func_id].text, sizeof names_[func_id].text, name);
    }

private:
    std::vector<Entry> entries_;
    std::vector<graph::KernelName> names_;
};

// A runtime's own half of a loaded callable.
class Orchestration {
public:
    // Unloads it. No run uses it any more.
    //
    // Errors: none.
    virtual ~Orchestration() = default;
};

// A run starts from this.
//
// Ownership: the frame's; it is valid until Runtime::end_run.
struct RunInput {
    Orchestration& orchestration;     // what Runtime::load has made
    const KernelTable& kernels;       // those of the callable
    const ch_task_args& args;         // the arguments of the run
    const ch_call_config& config;     // checked, with its defaults; sizes of rings may be 0
    const ch_run_progress& progress;  // progress.cancel asks to stop
    uint64_t device_memory_bytes;     // what the device has, or may use
};

// A graph in device memory.
struct BuiltGraph {
    uint64_t image = 0;       // device address of its graph::Image
    uint64_t task_count = 0;  // 0 also where the device counts them
    // If `build` fails: the number of the submission that the error is about, counted from 0; -1: it is about none.
    int64_t failed_submission = -1;
    // Whole arrays of the run that the orchestration itself has put on the device.
    std::vector<platform::ArgumentCopy> argument_copies;
};

// One runtime in one context. Functions are called in the order below.
//
// out_error: the caller's record, zeroed; filled with what went wrong.
// Ownership: arguments are borrowed for the call.
// Errors: a function that returns int32_t returns CH_OK, or a code with *out_error filled. The frame makes
// CH_HOST_MEMORY_EXHAUSTED or CH_INTERNAL of an exception.
class Runtime {
public:
    // Frees all that the runtime has; no run is under way.
    virtual ~Runtime() = default;

    // Loads the orchestration of a callable, once before its first run.
    //
    // callable: borrowed for the call.
    // out_orchestration: gets the loaded orchestration. The frame owns it, and destroys it before the runtime.
    // Errors: CH_NOT_ELF, CH_ENTRY_MISSING, CH_ABI_MISMATCH, CH_LOAD_REFUSED and the like.
    [[nodiscard]] virtual int32_t load(const ch_callable& callable, std::unique_ptr<Orchestration>* out_orchestration,
                                       ch_error* out_error) = 0;

    // Makes the graph of a run, or what the AICPU program needs to make it.
    //
    // input: valid until `end_run`.
    // out_graph: gets where it is. The device memory is the runtime's until `end_run`.
    // Errors: any that the orchestration may have; CH_DEVICE_MEMORY_EXHAUSTED, CH_DEADLINE_EXCEEDED after a cancel.
    [[nodiscard]] virtual int32_t build(const RunInput& input, BuiltGraph* out_graph, ch_error* out_error) = 0;

    // Copies results to the caller's arrays, after the device has finished without an error.
    //
    // Errors: CH_PLATFORM_FAILED where a copy can fail.
    [[nodiscard]] virtual int32_t copy_out(ch_error* out_error) = 0;

    // Frees what belongs to the run. It is called at the end of every run, also of one that failed.
    //
    // Errors: none.
    virtual void end_run() = 0;
};

// The name of the runtime in this library, such as "host_build_graph". The runtime defines it.
extern const char* const runtime_name;
// Makes the runtime of a context. The runtime defines it.
//
// device: open; it outlives the runtime.
// anchor: services of the namespace, which outlive the runtime.
// anchor_state: first argument of the anchor's functions.
// Ownership: the caller owns the runtime.
// Errors: none but std::bad_alloc.
std::unique_ptr<Runtime> make_runtime(platform::Device* device, const ch_anchor* anchor, void* anchor_state);

}  // namespace chiphost::host

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <memory>
#include <string>
#include <utility>

#include "context.h"
#include "fault_report.h"
#include "runtime_library.h"
#include "status/status.h"

namespace chiphost::worker {

// The options of a context in a runtime that is loaded in this process. Refers to the library and to temp_folder.
ch_device_options device_options(const RuntimeLibrary& library, int32_t device_id, uint64_t device_memory_bytes,
                                 uint64_t stack_bytes, const char* temp_folder);

// Memory for a context of the library, of the size and alignment it wants. To be freed with free().
Status allocate_context(const RuntimeLibrary& library, void** out_memory, ch_error* out_error);

// A context in this process, on a thread of its runtime's domain. One that is not closed stays a user of the library.
class LocalContext final : public Context {
public:
    // Takes the use of the library over, also if it fails. CH_INTERRUPTED if go_on says so: then the library and a
    // thread of it are left behind.
    static Status open(std::shared_ptr<RuntimeLibrary> library, int32_t device_id, uint64_t device_memory_bytes,
                       uint64_t stack_bytes, const GoOn& go_on, std::unique_ptr<Context>* out_context,
                       ch_error* out_error);

    Status prepare(const ch_callable& callable, const ch_task_args& args, const ch_call_config& config,
                   const GoOn& go_on, ch_error* out_error) override;
    ch_run_progress& progress() override { return progress_; }
    void post() override;
    bool wait(uint64_t timeout_ns) override;
    uint64_t processor_ns() const override;
    bool wants_processor() const override;
    Status finish(ch_run_result* out_result, std::vector<ch_trace_event>* out_trace, ch_error* out_error) override;
    GaveUp give_up() override;
    Status close(ch_error* out_error) override;
    Status count(ch_anchor_counts* out_counts, ch_error* out_error) override;
    const RuntimeInfo& info() const override { return library_->info(); }
    std::shared_ptr<RuntimeLibrary> library() const override { return library_; }

private:
    explicit LocalContext(std::shared_ptr<RuntimeLibrary> library) : library_(std::move(library)) {}
    Status set_device(const GoOn& go_on, ch_error* out_error);
    Status checked(int32_t code, const char* verb, ch_error* out_error) const;
    void release();
    int32_t thread_number() const;

    const std::shared_ptr<RuntimeLibrary> library_;
    ch_mailbox* thread_ = nullptr;
    void* memory_ = nullptr;
    int32_t code_ = CH_OK;  // of the run that ended last
    // What set_device refers to.
    std::string temp_folder_;
    ch_device_options device_{};
    // What a run refers to, besides what the caller passed.
    ch_run_progress progress_{};
    ch_run_request request_{};
    ch_run_result result_{};
    ch_call_config config_{};
    ch_error error_{};
    FaultHandlers fault_handlers_;
    WatchedRun watched_;
};

}  // namespace chiphost::worker

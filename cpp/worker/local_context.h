// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "context.h"
#include "device_context.h"
#include "fault_report.h"
#include "runtime_library.h"
#include "status/status.h"

namespace chiphost::worker {

// A context in this process, on a thread of its runtime's domain. One that is not closed stays a user of the library.
class LocalContext final : public Context {
public:
    // Takes the use of the library over, also if it fails. CH_INTERRUPTED if go_on says so: then the library and a
    // thread of it are left behind.
    static Status open(std::shared_ptr<RuntimeLibrary> library, const DeviceOptions& options,
                       const isolate::GoOn& go_on, std::unique_ptr<Context>* out_context, ch_error* out_error);

    Status explore(Exploration* exploration, ch_error* out_error) override;
    Status prepare(const ch_callable& callable, const ch_task_args& args, const ch_call_config& config,
                   const isolate::GoOn& go_on, ch_error* out_error) override;
    ch_run_progress& progress() override { return progress_; }
    void post() override;
    bool wait(uint64_t timeout_ns) override;
    uint64_t processor_ns() const override;
    bool wants_processor() const override;
    void ask_for_code(isolate::CodeSamples* out_code) override;
    Status finish(ch_run_result* out_result, std::vector<ch_trace_event>* out_trace, RunReports* out_reports,
                  ch_error* out_error) override;
    GaveUp give_up() override;
    Status close(ch_error* out_error) override;
    Status count(ch_anchor_counts* out_counts, ch_error* out_error) override;
    const RuntimeInfo& info() const override { return context_.library().info(); }
    std::shared_ptr<RuntimeLibrary> library() const override { return context_.shared_library(); }

private:
    explicit LocalContext(std::shared_ptr<RuntimeLibrary> library) : context_(std::move(library)) {}
    isolate::Domain& domain() const { return context_.library().domain(); }
    Status open(const DeviceOptions& options, const isolate::GoOn& go_on, ch_error* out_error);
    Status ended(const char* verb, ch_error* out_error) const;
    void release();
    int32_t thread_number() const;

    DeviceContext context_;
    ch_mailbox* thread_ = nullptr;
    int32_t code_ = CH_OK;  // of the verb that ended last
    std::string temp_folder_;
    // The records that a run refers to, besides what the caller passed.
    ch_run_progress progress_{};
    ch_run_request request_{};
    Exploration* exploration_ = nullptr;  // the caller's, from explore() to finish()
    ch_exploration explored_{};           // what the runtime works with: it may never return
    std::vector<ch_decision> log_;
    ch_run_result result_{};
    ch_call_config config_{};
    ch_error error_{};
    isolate::CodeSamples samples_{};
    FaultHandlers fault_handlers_;
    WatchedRun watched_;
};

}  // namespace chiphost::worker

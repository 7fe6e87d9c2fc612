// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "child_messages.h"
#include "context.h"
#include "device_context.h"
#include "isolate/child/child_process.h"
#include "runtime_library.h"
#include "status/status.h"

namespace chiphost::worker {

// A context in a child process. Whatever happens there ends at most the child: the run that was under way fails with
// CH_PROCESS_DIED, and the next gets another child.
class ChildContext final : public Context {
public:
    struct Options {
        RuntimeFiles files;
        std::string platform;  // that the files must be for; empty: any
        std::string program;   // chiphost_child
        DeviceOptions device;
    };
    // Errors of ChildProcess::start and of what the child does; CH_INTERRUPTED if go_on says so.
    static Status open(const Options& options, const isolate::GoOn& go_on, std::unique_ptr<Context>* out_context,
                       ch_error* out_error);

    Status prepare(const ch_callable& callable, const ch_task_args& args, const ch_call_config& config,
                   const isolate::GoOn& go_on, ch_error* out_error) override;
    ch_run_progress& progress() override { return child_->memory().control().progress; }
    void post() override;
    bool wait(uint64_t timeout_ns) override;
    void ask_for_code(isolate::CodeSamples* out_code) override;
    Status finish(ch_run_result* out_result, std::vector<ch_trace_event>* out_trace, RunReports* out_reports,
                  ch_error* out_error) override;
    GaveUp give_up() override;
    Status close(ch_error* out_error) override;
    Status count(ch_anchor_counts* out_counts, ch_error* out_error) override;
    const RuntimeInfo& info() const override { return *info_; }
    pid_t process_id() const override { return process_id_; }

private:
    explicit ChildContext(const Options& options) : options_(options) {}
    Status open_child(const isolate::GoOn& go_on, ch_error* out_error);
    Status ask_to_open(const isolate::GoOn& go_on, ch_error* out_error);
    static Status post_files(const Options& options, isolate::ChildVerb verb, isolate::ChildProcess& child,
                             ch_error* out_error);
    static bool prepare_spare(const Options& options, isolate::ChildProcess& child);
    Status died(const std::string& where, const std::string& during, ch_error* out_error);

    const Options options_;
    std::string key_;                               // of the children that may do this work
    std::unique_ptr<isolate::ChildProcess> child_;  // with an open device, or at its end
    const RuntimeInfo* info_ = nullptr;
    pid_t process_id_ = -1;
    isolate::ChildProcess::Answer answer_ = isolate::ChildProcess::Answer::none;
    // The arguments and the rest of what belongs to the run prepared last.
    ArenaArguments arguments_;
    const ch_callable* callable_ = nullptr;  // of the run prepared last
    const ch_task_args* args_ = nullptr;
    isolate::KeptKeys::Place place_{};
    std::string callable_key_;
};

}  // namespace chiphost::worker

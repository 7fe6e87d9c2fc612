// SPDX-License-Identifier: Apache-2.0
#include "child_context.h"

#include <string.h>

#include "fault_report.h"
#include "isolate/child/child_pool.h"
#include "isolate/wait_time.h"
#include "run_place.h"
#include "status/report.h"

namespace chiphost::worker {

using isolate::ChildPool;
using isolate::ChildProcess;
using isolate::ChildVerb;
using Answer = ChildProcess::Answer;

namespace {

constexpr uint64_t load_timeout_ns = 20'000'000'000;
constexpr uint64_t close_timeout_ns = 5'000'000'000;

}  // namespace

Status ChildContext::open(const Options& options, const isolate::GoOn& go_on, std::unique_ptr<Context>* out_context,
                          ch_error* out_error) {
    std::unique_ptr<ChildContext> context(new ChildContext(options));
    CH_TRY(context->open_child(go_on, out_error));
    *out_context = std::move(context);
    return CH_OK;
}

// Gets a child and opens the device there.
Status ChildContext::open_child(const isolate::GoOn& go_on, ch_error* out_error) {
    child_.reset();
    process_id_ = -1;
    CH_TRY(runtime_key(options_.files, &key_, out_error));
    key_ += "|" + options_.program;
    for (bool again = false;; again = true) {
        const auto prepare = [options = options_](ChildProcess& child) { return prepare_spare(options, child); };
        CH_TRY(ChildPool::of_this_process().take(key_, options_.program, prepare, go_on, &child_, out_error));
        const bool fresh = child_->fresh();
        const Status failed = ask_to_open(go_on, out_error);
        if (failed.ok()) break;
        child_.reset();  // and what it may have loaded
        // A child that had waited may have been killed just now, which is no fault of this work. A new child tells.
        if (failed != CH_PROCESS_DIED || fresh || again) return failed;
    }
    process_id_ = child_->id();
    return CH_OK;
}

Status ChildContext::post_files(const Options& options, ChildVerb verb, ChildProcess& child, ch_error* out_error) {
    TextWriter texts;
    for (const std::string* text :
         {&options.files.host, &options.files.aicpu, &options.files.aicore, &options.platform}) {
        texts.add(*text);
    }
    isolate::SharedMemory& memory = child.memory();
    const OpenRuntime message{options.device.device_id, static_cast<uint32_t>(texts.bytes().size()),
                              options.device.device_memory_bytes, options.device.stack_bytes,
                              options.files.cross_compiled};
    if (const int failed = memory.reserve(sizeof message + texts.bytes().size())) {
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "shared memory", "%s", strerror(failed));
    }
    memcpy(memory.at(0), &message, sizeof message);
    memcpy(memory.at(sizeof message), texts.bytes().data(), texts.bytes().size());
    child.post(verb);
    return CH_OK;
}

// Runs in the pool's thread. Loads what every child of these files loads first, and opens no device.
bool ChildContext::prepare_spare(const Options& options, ChildProcess& child) {
    ch_error ignored = no_error();
    return post_files(options, ChildVerb::load_runtime, child, &ignored) == CH_OK &&
           child.wait(load_timeout_ns) == Answer::complete && child.memory().control().code == CH_OK;
}

Status ChildContext::ask_to_open(const isolate::GoOn& go_on, ch_error* out_error) {
    isolate::SharedMemory& memory = child_->memory();
    CH_TRY(post_files(options_, ChildVerb::open_runtime, *child_, out_error));
    const isolate::Wait wanted{isolate::no_timeout, go_on};
    const isolate::WaitTime time(wanted);
    while ((answer_ = child_->wait(time.next_slice_ns())) == Answer::none) {
        if (!time.interrupted()) continue;
        return report(out_error, CH_INTERRUPTED, options_.files.host, "interrupted while the runtime was being loaded");
    }
    if (answer_ == Answer::died) return died(options_.files.host, "the runtime was being loaded", out_error);
    if (memory.control().code != CH_OK) {
        copy_record(memory.control().error, out_error);
        return memory.control().code;
    }
    OpenedRuntime opened;
    memcpy(&opened, memory.at(0), sizeof opened);
    info_ =
        &keep({opened.runtime, opened.arch, opened.platform, opened.version, isolate::Strategy::process, opened.chip});
    return CH_OK;
}

// The child is at its end. Says how and why as far as that is known.
Status ChildContext::died(const std::string& where, const std::string& during, ch_error* out_error) {
    process_id_ = -1;
    return child_->report_end(where, during, out_error);
}

Status ChildContext::prepare(const ch_callable& callable, const ch_task_args& args, const ch_call_config& config,
                             const isolate::GoOn& go_on, ch_error* out_error) {
    // The last run may have taken the child along, or it was killed since.
    if (!child_ || !child_->usable()) {
        CH_TRY(open_child(go_on, out_error));
    }
    callable_ = &callable;
    callable_key_ = callable.key;
    place_ = child_->kept().find(callable_key_);
    args_ = &args;
    CH_TRY(arguments_.write(child_->memory(), callable, place_, args, config, out_error));
    begin_progress(&progress());
    return CH_OK;
}

void ChildContext::post() {
    child_->use_up();
    child_->post(ChildVerb::run);
}

bool ChildContext::wait(uint64_t timeout_ns) {
    answer_ = child_->wait(timeout_ns);
    return answer_ != Answer::none;
}

void ChildContext::ask_for_code(isolate::CodeSamples* out_code) {
    isolate::CodeSamples& code = child_->memory().control().samples;
    worker::ask_for_code(child_->id(), progress(), &code);
    *out_code = code;
}

Status ChildContext::finish(ch_run_result* out_result, std::vector<ch_trace_event>* out_trace, RunReports* out_reports,
                            ch_error* out_error) {
    if (answer_ == Answer::died) {
        const RunPlace place = RunPlace::of(progress(), *callable_);
        const Status failed = died(place.where, place.what + " was running", out_error);
        place.blame(out_error);
        out_result->failed_submission = place.submission;
        return failed;
    }
    isolate::SharedMemory& memory = child_->memory();
    if (!place_.kept) child_->kept().put(place_.slot, callable_key_);
    RunMessage message;
    memcpy(&message, memory.at(0), sizeof message);
    if (out_reports && message.check_report != 0) {
        out_reports->check.assign(memory.at(message.check_report), message.result.check_report_bytes);
    }
    if (out_reports && message.stall_report != 0) {
        out_reports->stall.assign(memory.at(message.stall_report), message.result.stall_report_bytes);
    }
    if (memory.control().code != CH_OK) {
        out_result->failed_submission = message.result.failed_submission;
        copy_record(memory.control().error, out_error);
        return memory.control().code;
    }
    *out_result = message.result;
    out_result->trace = nullptr;
    out_result->check_report = nullptr;
    out_result->stall_report = nullptr;
    if (out_trace) {
        const auto* trace = memory.at<ch_trace_event>(message.trace);
        out_trace->assign(trace, trace + message.result.trace_count);
    }
    arguments_.read_back(memory, *args_);
    return CH_OK;
}

Context::GaveUp ChildContext::give_up() {
    if (child_->wait(0) != Answer::none) {
        answer_ = child_->wait(0);
        return GaveUp::ended;
    }
    child_->end();
    process_id_ = -1;
    return GaveUp::stopped;
}

Status ChildContext::close(ch_error* out_error) {
    if (!child_ || !child_->usable()) return CH_OK;
    child_->post(ChildVerb::finalize_device);
    answer_ = child_->wait(close_timeout_ns);
    Status failed;
    if (answer_ == Answer::died) {
        failed = died(options_.files.host, "the device was being closed", out_error);
    } else if (answer_ == Answer::none) {
        failed = report(out_error, CH_DEADLINE_EXCEEDED, options_.files.host,
                        "finalize_device did not return within %.3g s; process %d was ended",
                        static_cast<double>(close_timeout_ns) * 1e-9, static_cast<int>(child_->id()));
    } else if (failed = child_->memory().control().code; !failed.ok()) {
        copy_record(child_->memory().control().error, out_error);
    } else {
        ChildPool::of_this_process().give_back(key_, std::move(child_));
    }
    child_.reset();
    process_id_ = -1;
    return failed;
}

Status ChildContext::count(ch_anchor_counts* out_counts, ch_error* out_error) {
    *out_counts = {};
    if (!child_ || !child_->usable()) return CH_OK;
    child_->post(ChildVerb::count);
    answer_ = child_->wait(close_timeout_ns);
    if (answer_ == Answer::died) return died(options_.files.host, "it was asked what it has loaded", out_error);
    if (answer_ == Answer::none) {
        child_->end();
        process_id_ = -1;
        return report(out_error, CH_DEADLINE_EXCEEDED, options_.files.host, "the child process does not answer");
    }
    memcpy(out_counts, child_->memory().at(0), sizeof *out_counts);
    return CH_OK;
}

}  // namespace chiphost::worker

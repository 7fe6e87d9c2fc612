// SPDX-License-Identifier: Apache-2.0
#include "local_context.h"

#include <time.h>
#include <unistd.h>

#include <fstream>
#include <new>
#include <string>

#include "isolate/leave_behind.h"
#include "isolate/wait_time.h"
#include "os/temporary_folder.h"
#include "run_place.h"
#include "status/report.h"

namespace chiphost::worker {

Status LocalContext::open(std::shared_ptr<RuntimeLibrary> library, const DeviceOptions& options,
                          const isolate::GoOn& go_on, std::unique_ptr<Context>* out_context, ch_error* out_error) {
    std::unique_ptr<LocalContext> context(new (std::nothrow) LocalContext(library));
    if (!context) {
        library->give_back();
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "init", "no memory for a context");
    }
    const Status opened = context->open(options, go_on, out_error);
    if (opened == CH_INTERRUPTED) {
        isolate::leave_behind<Context>(std::move(context));
    } else if (!opened.ok()) {
        context->release();
    } else {
        *out_context = std::move(context);
    }
    return opened;
}

Status LocalContext::open(const DeviceOptions& options, const isolate::GoOn& go_on, ch_error* out_error) {
    CH_TRY(context_.allocate(out_error));
    CH_TRY(domain().lease_thread(&thread_, out_error, options.stack_bytes));
    try {
        temp_folder_ = os::temporary_folder();
    } catch (const std::bad_alloc&) {
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "init", "no memory for a context");
    }
    error_ = no_error();
    context_.set_device(options, temp_folder_.c_str(), &error_).post(thread_);
    const isolate::Wait wanted{isolate::no_timeout, go_on};
    const isolate::WaitTime time(wanted);
    while (!wait(time.next_slice_ns())) {
        if (!time.interrupted()) continue;
        return report(out_error, CH_INTERRUPTED, context_.library().files().host,
                      "interrupted while the runtime opened the device, which has not returned");
    }
    return ended("set_device", out_error);
}

// Says what became of a verb that has ended.
Status LocalContext::ended(const char* verb, ch_error* out_error) const {
    if (code_ != CH_OK && code_ != CH_ANCHOR_CALL_THREW) *out_error = error_;
    return context_.checked(code_, verb, out_error);
}

void LocalContext::release() {
    if (thread_) domain().return_thread(thread_);
    thread_ = nullptr;
    context_.release();
}

Status LocalContext::explore(Exploration* exploration, ch_error*) {
    exploration_ = exploration;
    return CH_OK;
}

Status LocalContext::prepare(const ch_callable& callable, const ch_task_args& args, const ch_call_config& config,
                             const isolate::GoOn&, ch_error*) {
    begin_progress(&progress_);
    result_ = ch_run_result{};
    result_.struct_bytes = sizeof result_;
    result_.failed_submission = -1;
    config_ = config;
    config_.struct_bytes = sizeof config_;
    error_ = no_error();
    request_ = {sizeof request_, 0, &callable, &args, &config_, &progress_, &result_, nullptr};
    if (exploration_) {
        log_ = exploration_->log;
        explored_ = exploration_->record;
        explored_.struct_bytes = sizeof explored_;
        explored_.outcome = CH_EXPLORED_NOTHING;
        explored_.log = log_.data();
        explored_.log_count = log_.size();
        request_.exploration = &explored_;
    }
    progress_.lanes[0].thread = thread_number();
    watched_.begin(callable, progress_, thread_number(), &samples_);
    return CH_OK;
}

void LocalContext::post() {
    thread_->same_user = 1;  // until the device is closed
    context_.run(&request_, &error_).post(thread_);
}

bool LocalContext::wait(uint64_t timeout_ns) {
    return ch_mailbox_wait(thread_, timeout_ns, &code_) != 0;
}

uint64_t LocalContext::processor_ns() const {
    // The clock of a thread by its number, as the kernel makes them (pthread_getcpuclockid wants this libc's threads).
    const auto clock = static_cast<clockid_t>((~static_cast<unsigned>(thread_number()) << 3) | 6u);
    struct timespec used{};
    if (clock_gettime(clock, &used) != 0) return 0;
    return static_cast<uint64_t>(used.tv_sec) * 1000000000u + static_cast<uint64_t>(used.tv_nsec);
}

bool LocalContext::wants_processor() const {
    try {
        std::ifstream file("/proc/self/task/" + std::to_string(thread_number()) + "/stat");
        std::string words;
        std::getline(file, words);
        const size_t name_end = words.rfind(')');
        return name_end != std::string::npos && words.compare(name_end, 3, ") R") == 0;
    } catch (const std::bad_alloc&) {
        return true;  // nobody knows; then it is given more time
    }
}

int32_t LocalContext::thread_number() const {
    return __atomic_load_n(&thread_->system_id, __ATOMIC_RELAXED);
}

void LocalContext::ask_for_code(isolate::CodeSamples* out_code) {
    worker::ask_for_code(getpid(), progress_, &samples_);
    *out_code = samples_;
}

Status LocalContext::finish(ch_run_result* out_result, std::vector<ch_trace_event>* out_trace, RunReports* out_reports,
                            ch_error* out_error) {
    watched_.end();
    if (out_reports && result_.check_report) {
        out_reports->check.assign(result_.check_report, result_.check_report_bytes);
    }
    if (exploration_) {
        Exploration& exploration = *std::exchange(exploration_, nullptr);
        exploration.found.assign(explored_.found, explored_.found + explored_.found_count);
        exploration.record = explored_;
    }
    if (out_reports && result_.stall_report) {
        out_reports->stall.assign(result_.stall_report, result_.stall_report_bytes);
    }
    out_result->failed_submission = result_.failed_submission;
    CH_TRY(ended("run", out_error));
    *out_result = result_;
    if (out_trace) out_trace->assign(result_.trace, result_.trace + result_.trace_count);
    out_result->trace = nullptr;
    out_result->check_report = nullptr;
    out_result->stall_report = nullptr;
    return CH_OK;
}

Context::GaveUp LocalContext::give_up() {
    uint32_t open = CH_CLAIM_OPEN;
    if (__atomic_compare_exchange_n(&progress_.claim, &open, CH_CLAIM_ABANDONED, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        domain().flush_output();
        return GaveUp::abandoned;
    }
    wait(CH_MAILBOX_FOR_EVER);  // it is copying results: that ends by itself
    return GaveUp::ended;
}

Status LocalContext::close(ch_error* out_error) {
    thread_->same_user = 0;
    error_ = no_error();
    context_.finalize_device(&error_).post(thread_);
    wait(CH_MAILBOX_FOR_EVER);
    const Status closed = ended("finalize_device", out_error);
    release();
    return closed;
}

Status LocalContext::count(ch_anchor_counts* out_counts, ch_error*) {
    *out_counts = domain().counts();
    return CH_OK;
}

}  // namespace chiphost::worker

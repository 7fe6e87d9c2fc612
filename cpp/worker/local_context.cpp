// SPDX-License-Identifier: Apache-2.0
#include "local_context.h"

#include <stdlib.h>
#include <time.h>

#include <fstream>
#include <new>
#include <string>

#include "os/temporary_folder.h"
#include "status/report.h"

namespace chiphost::worker {

namespace {

constexpr uint64_t context_alignment = 64;
constexpr uint64_t poll_ns = 50'000'000;  // whether the caller wants to go on

// The functions of a table take pointers to their own types; a mailbox takes any.
template <typename Function>
ch_call as_call(Function* function) {
    return reinterpret_cast<ch_call>(function);
}

// Where the environment says that the chip vendor's software is, and which variable; nullptr: nowhere.
void find_sdk(ch_device_options* out_device) {
    for (const char* name : {"ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME"}) {
        const char* folder = getenv(name);
        if (!folder || !*folder) continue;
        out_device->sdk_folder = folder;
        out_device->sdk_variable = name;
        return;
    }
}

}  // namespace

ch_device_options device_options(const RuntimeLibrary& library, int32_t device_id, uint64_t device_memory_bytes,
                                 uint64_t stack_bytes, const char* temp_folder) {
    ch_device_options device{};
    device.struct_bytes = sizeof device;
    device.device_id = device_id;
    device.aicpu = {library.files().aicpu.c_str(), library.aicpu_key().c_str()};
    device.aicore = {library.files().aicore.c_str(), library.aicore_key().c_str()};
    device.device_memory_bytes = device_memory_bytes;
    device.stack_bytes = stack_bytes;
    device.temp_folder = temp_folder;
    find_sdk(&device);
    device.anchor = library.domain().anchor();
    device.anchor_state = library.domain().anchor_state();
    return device;
}

Status allocate_context(const RuntimeLibrary& library, void** out_memory, ch_error* out_error) {
    const uint64_t bytes = library.context_bytes();
    *out_memory =
        aligned_alloc(context_alignment, (bytes + context_alignment - 1) / context_alignment * context_alignment);
    return *out_memory ? CH_OK : report(out_error, CH_HOST_MEMORY_EXHAUSTED, "init", "no memory for a context");
}

// What a verb of the table returned, or CH_INTERNAL if it threw.
Status LocalContext::checked(int32_t code, const char* verb, ch_error* out_error) const {
    if (code != CH_ANCHOR_CALL_THREW) return code;
    return report(out_error, CH_INTERNAL, library_->files().host, "the runtime let an exception out of %s", verb);
}

Status LocalContext::open(std::shared_ptr<RuntimeLibrary> library, int32_t device_id, uint64_t device_memory_bytes,
                          uint64_t stack_bytes, const GoOn& go_on, std::unique_ptr<Context>* out_context,
                          ch_error* out_error) {
    std::unique_ptr<LocalContext> context(new (std::nothrow) LocalContext(library));
    if (!context) {
        library->give_back();
        return report(out_error, CH_HOST_MEMORY_EXHAUSTED, "init", "no memory for a context");
    }
    RuntimeLibrary& loaded = *context->library_;
    int32_t code = allocate_context(loaded, &context->memory_, out_error);
    if (code == CH_OK) code = loaded.domain().lease_thread(&context->thread_, out_error, stack_bytes);
    try {
        context->temp_folder_ = os::temporary_folder();
    } catch (const std::bad_alloc&) {
        code = report(out_error, CH_HOST_MEMORY_EXHAUSTED, "init", "no memory for a context");
    }
    if (code == CH_OK) {
        context->device_ =
            device_options(loaded, device_id, device_memory_bytes, stack_bytes, context->temp_folder_.c_str());
        code = context->set_device(go_on, out_error);
        if (code == CH_INTERRUPTED) {
            leave_behind(std::move(context));
            return code;
        }
    }
    if (code != CH_OK) {
        context->release();
        return code;
    }
    *out_context = std::move(context);
    return CH_OK;
}

Status LocalContext::set_device(const GoOn& go_on, ch_error* out_error) {
    error_ = no_error();
    ch_mailbox_post(thread_, as_call(library_->table().set_device), memory_, &device_, &error_);
    while (!wait(go_on ? poll_ns : CH_MAILBOX_FOR_EVER)) {
        if (go_on()) continue;
        return report(out_error, CH_INTERRUPTED, library_->files().host,
                      "interrupted while the runtime opened the device, which has not returned");
    }
    if (code_ != CH_OK && code_ != CH_ANCHOR_CALL_THREW) *out_error = error_;
    return checked(code_, "set_device", out_error);
}

void LocalContext::release() {
    if (thread_) library_->domain().return_thread(thread_);
    thread_ = nullptr;
    free(memory_);
    memory_ = nullptr;
    library_->give_back();
}

Status LocalContext::prepare(const ch_callable& callable, const ch_task_args& args, const ch_call_config& config,
                             const GoOn&, ch_error*) {
    progress_ = ch_run_progress{};
    for (auto& lane : progress_.lanes) lane.task = -1;
    result_ = ch_run_result{};
    result_.struct_bytes = sizeof result_;
    config_ = config;
    config_.struct_bytes = sizeof config_;
    error_ = no_error();
    request_ = {sizeof request_, 0, &callable, &args, &config_, &progress_, &result_};
    watched_.begin(callable, progress_, __atomic_load_n(&thread_->system_id, __ATOMIC_RELAXED));
    return CH_OK;
}

void LocalContext::post() {
    thread_->same_user = 1;  // until the device is closed
    ch_mailbox_post(thread_, as_call(library_->table().run), memory_, &request_, &error_);
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

Status LocalContext::finish(ch_run_result* out_result, std::vector<ch_trace_event>* out_trace, ch_error* out_error) {
    watched_.end();
    if (code_ == CH_ANCHOR_CALL_THREW) return checked(code_, "run", out_error);
    if (code_ != CH_OK) {
        *out_error = error_;
        return code_;
    }
    *out_result = result_;
    if (out_trace) out_trace->assign(result_.trace, result_.trace + result_.trace_count);
    out_result->trace = nullptr;
    return CH_OK;
}

Context::GaveUp LocalContext::give_up() {
    uint32_t open = CH_CLAIM_OPEN;
    if (__atomic_compare_exchange_n(&progress_.claim, &open, CH_CLAIM_ABANDONED, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        library_->domain().flush_output();
        return GaveUp::abandoned;
    }
    wait(CH_MAILBOX_FOR_EVER);  // it is copying results: that ends by itself
    return GaveUp::ended;
}

Status LocalContext::close(ch_error* out_error) {
    ch_call function = as_call(library_->table().finalize_device);
    thread_->same_user = 0;
    const int32_t code =
        checked(ch_mailbox_call(thread_, function, memory_, nullptr, out_error), "finalize_device", out_error);
    release();
    return code;
}

Status LocalContext::count(ch_anchor_counts* out_counts, ch_error*) {
    *out_counts = library_->domain().counts();
    return CH_OK;
}

}  // namespace chiphost::worker

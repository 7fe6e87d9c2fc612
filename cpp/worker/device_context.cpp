// SPDX-License-Identifier: Apache-2.0
#include "device_context.h"

#include <stdlib.h>

#include "chiphost/align.h"
#include "status/report.h"

namespace chiphost::worker {

namespace {

// The functions of a table take pointers to their own types; a mailbox takes any.
template <typename Function>
ch_call as_call(Function* function) {
    return reinterpret_cast<ch_call>(function);
}

// Finds the folder of the chip's software in the environment, and which variable names it; nullptr if none does. The
// runtime says which variables may, and cannot read them itself: the environment of its C library is another.
void find_sdk(const char* const* variables, ch_device_options* out_device) {
    for (; variables && *variables; ++variables) {
        const char* name = *variables;
        const char* folder = getenv(name);
        if (!folder || !*folder) continue;
        out_device->sdk_folder = folder;
        out_device->sdk_variable = name;
        return;
    }
}

}  // namespace

int32_t DeviceContext::Call::here() const {
    try {
        return function(memory, request, out_error);
    } catch (...) {
        return CH_ANCHOR_CALL_THREW;
    }
}

Status DeviceContext::allocate(ch_error* out_error) {
    const uint64_t bytes = library_->context_bytes();
    memory_ = aligned_alloc(line_bytes, align_up(bytes));
    return memory_ ? CH_OK : report(out_error, CH_HOST_MEMORY_EXHAUSTED, "init", "no memory for a context");
}

DeviceContext::Call DeviceContext::set_device(const DeviceOptions& options, const char* temp_folder,
                                              ch_error* out_error) {
    device_ = {};
    device_.struct_bytes = sizeof device_;
    device_.device_id = options.device_id;
    device_.aicpu = {library_->files().aicpu.c_str(), library_->aicpu_key().c_str()};
    device_.aicore = {library_->files().aicore.c_str(), library_->aicore_key().c_str()};
    device_.device_memory_bytes = options.device_memory_bytes;
    device_.stack_bytes = options.stack_bytes;
    device_.temp_folder = temp_folder;
    find_sdk(library_->table().sdk_variables, &device_);
    device_.anchor = library_->domain().anchor();
    device_.anchor_state = library_->domain().anchor_state();
    return {"set_device", as_call(library_->table().set_device), memory_, &device_, out_error};
}

DeviceContext::Call DeviceContext::run(const ch_run_request* request, ch_error* out_error) {
    return {"run", as_call(library_->table().run), memory_, request, out_error};
}

DeviceContext::Call DeviceContext::finalize_device(ch_error* out_error) {
    return {"finalize_device", as_call(library_->table().finalize_device), memory_, nullptr, out_error};
}

Status DeviceContext::checked(int32_t code, const char* verb, ch_error* out_error) const {
    if (code != CH_ANCHOR_CALL_THREW) return code;
    return report(out_error, CH_INTERNAL, library_->files().host, "the runtime let an exception out of %s", verb);
}

void DeviceContext::release() {
    free(memory_);
    memory_ = nullptr;
    library_->give_back();
}

}  // namespace chiphost::worker

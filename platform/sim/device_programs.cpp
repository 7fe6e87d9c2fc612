// SPDX-License-Identifier: Apache-2.0
#include "device_programs.h"

#include <new>

#include "chiphost/platform/device.h"
#include "os/thread_clock.h"
#include "status/abi_check.h"
#include "status/report.h"

namespace chiphost::platform {

Status find_symbol(const ch_anchor* anchor, void* anchor_state, ch_library* library, const char* symbol,
                   const char* path, void** out_address, ch_error* out_error) {
    *out_address = nullptr;
    const ch_symbol_request request{library, symbol, out_address};
    if (anchor->find_symbol(anchor_state, &request, nullptr) == CH_OK) return CH_OK;
    return report(out_error, CH_HOST_MEMORY_EXHAUSTED, path, "out of memory while looking for %s", symbol);
}

DevicePrograms::DevicePrograms(const ch_anchor* anchor, void* anchor_state)
    : anchor_(anchor),
      anchor_state_(anchor_state),
      keeper_{this, os::thread_clock_ns, orchestration_loaded, orchestration_closing, orchestration_opened} {
    anchor_->loader_gate(anchor_state_, nullptr, &loader_gate_);
}

DevicePrograms::~DevicePrograms() {
    for (ch_library* library : {aicpu_library_, aicore_library_}) {
        if (library) anchor_->close_library(anchor_state_, library, nullptr);
    }
}

Status DevicePrograms::load_program(const ch_program_file& file, const char* entry, ch_library** out_library,
                                    void** out_entry, ch_error* out_error) {
    ch_open_request request{};
    request.binary.key = file.key;
    request.binary.name = file.path;
    request.out_library = out_library;
    CH_TRY(anchor_->open_library(anchor_state_, &request, out_error));
    CH_TRY(find_symbol(anchor_, anchor_state_, *out_library, entry, file.path, out_entry, out_error));
    return *out_entry ? CH_OK : report(out_error, CH_ENTRY_MISSING, file.path, "wanted the function %s", entry);
}

Status DevicePrograms::load(const ch_device_options& options, ch_error* out_error) {
    void* entry = nullptr;
    CH_TRY(load_program(options.aicpu, CH_AICPU_PROGRAM_ENTRY, &aicpu_library_, &entry, out_error));
    aicpu_ = reinterpret_cast<ch_aicpu_program_entry>(entry)();
    CH_TRY(check_header(aicpu_->header,
                        {CH_ABI_AICPU_PROGRAM, CH_DEVICE_PROGRAM_MAJOR, CH_DEVICE_PROGRAM_MINOR,
                         sizeof(ch_aicpu_program), platform_name},
                        options.aicpu.path, out_error));
    CH_TRY(load_program(options.aicore, CH_AICORE_PROGRAM_ENTRY, &aicore_library_, &entry, out_error));
    aicore_ = reinterpret_cast<ch_aicore_program_entry>(entry)();
    return check_header(aicore_->header,
                        {CH_ABI_AICORE_PROGRAM, CH_DEVICE_PROGRAM_MAJOR, CH_DEVICE_PROGRAM_MINOR,
                         sizeof(ch_aicore_program), platform_name},
                        options.aicore.path, out_error);
}

void* DevicePrograms::aicpu_context() {
    char* context = aicpu_context_.at_least(aicpu_->context_bytes());
    if (!aicpu_created_) aicpu_->create(context);
    aicpu_created_ = true;
    return context;
}

void DevicePrograms::destroy_aicpu_context() {
    if (!aicpu_created_) return;
    aicpu_created_ = false;
    for (const ch_keep_request& orchestration : orchestrations_) keep_if_running(orchestration);
    ch_loader_gate_enter(loader_gate_);  // for the orchestrations that it unloads
    aicpu_->destroy(aicpu_context_.at_least(0));
    ch_loader_gate_leave(loader_gate_);
}

// On the stack of a processor, which no exception may leave.
void DevicePrograms::orchestration_loaded(void* programs, void* library, uint64_t loaded_at_ns) {
    try {
        static_cast<DevicePrograms*>(programs)->orchestrations_.push_back({library, loaded_at_ns});
    } catch (const std::bad_alloc&) {
    }
}

void DevicePrograms::orchestration_closing(void* programs, void* library) {
    auto& self = *static_cast<DevicePrograms*>(programs);
    for (auto& orchestration : self.orchestrations_) {
        if (orchestration.handle != library) continue;
        self.keep_if_running(orchestration);
        orchestration = self.orchestrations_.back();
        self.orchestrations_.pop_back();
        return;
    }
}

void DevicePrograms::orchestration_opened(void* programs, void* library) {
    const auto& self = *static_cast<DevicePrograms*>(programs);
    self.anchor_->adopt(self.anchor_state_, library, nullptr);
}

void DevicePrograms::keep_if_running(const ch_keep_request& orchestration) {
    uint32_t kept = 0;
    anchor_->keep_if_running(anchor_state_, &orchestration, &kept);
}

}  // namespace chiphost::platform

// SPDX-License-Identifier: Apache-2.0
//
// The device: its programs are libraries, its memory is malloc's.
#include <stdlib.h>
#include <string.h>

#include <memory>

#include "chiphost/align.h"
#include "status/abi_check.h"
#include "status/report.h"
#include "status/status.h"
#include "third_device.h"

namespace chiphost::platform {

namespace {

template <typename Table>
int32_t load(Device& device, const ch_program_file& file, const char* entry, ch_abi_kind kind, ch_library** out_library,
             const Table** out_table, ch_error* out_error) {
    ch_open_request open{};
    open.binary = {nullptr, 0, file.key, file.path};
    open.out_library = out_library;
    CH_TRY(device.anchor->open_library(device.anchor_state, &open, out_error));
    void* address = nullptr;
    const ch_symbol_request find{*out_library, entry, &address};
    device.anchor->find_symbol(device.anchor_state, &find, nullptr);
    if (!address) return report(out_error, CH_ENTRY_MISSING, file.path, "wanted the function %s", entry);
    *out_table = reinterpret_cast<const Table* (*)()>(address)();
    const Expected expected{kind, CH_DEVICE_PROGRAM_MAJOR, CH_DEVICE_PROGRAM_MINOR, sizeof(Table), platform_name};
    return check_header((*out_table)->header, expected, file.path, out_error);
}

}  // namespace

Device::~Device() {
    if (aicpu_context) aicpu->destroy(aicpu_context);
    free(aicpu_context);
    for (const auto& [address, bytes] : allocations) free(reinterpret_cast<void*>(address));
    for (ch_library* library : {aicpu_library, aicore_library}) {
        if (library) anchor->close_library(anchor_state, library, nullptr);
    }
}

int32_t open_device(const ch_device_options& options, Device** out_device, ch_error* out_error) {
    auto device = std::make_unique<Device>(options);
    int32_t code = load(*device, options.aicpu, CH_AICPU_PROGRAM_ENTRY, CH_ABI_AICPU_PROGRAM, &device->aicpu_library,
                        &device->aicpu, out_error);
    if (code == CH_OK) {
        code = load(*device, options.aicore, CH_AICORE_PROGRAM_ENTRY, CH_ABI_AICORE_PROGRAM, &device->aicore_library,
                    &device->aicore, out_error);
    }
    if (code == CH_OK) *out_device = device.release();
    return code;
}

void close_device(Device* device) {
    delete device;
}

int32_t allocate(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error) {
    const uint64_t wanted = bytes ? bytes : 1, free_bytes = device->memory_limit - device->memory_used;
    std::unique_ptr<void, decltype(&free)> memory(nullptr, free);
    if (wanted <= free_bytes) memory.reset(aligned_alloc(line_bytes, align_up(wanted)));
    if (!memory) {
        return report(out_error, CH_DEVICE_MEMORY_EXHAUSTED, "device memory", "wanted %llu bytes, %llu are free",
                      static_cast<unsigned long long>(wanted), static_cast<unsigned long long>(free_bytes));
    }
    device->allocations[reinterpret_cast<uint64_t>(memory.get())] = wanted;
    *out_address = reinterpret_cast<uint64_t>(memory.release());
    device->memory_used += wanted;
    return CH_OK;
}

int32_t allocate_zeroed(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error) {
    CH_TRY(allocate(device, bytes, out_address, out_error));
    memset(reinterpret_cast<void*>(*out_address), 0, bytes);
    return CH_OK;
}

void release(Device* device, uint64_t address) {
    const auto found = device->allocations.find(address);
    if (found == device->allocations.end()) return;
    device->memory_used -= found->second;
    device->allocations.erase(found);
    free(reinterpret_cast<void*>(address));
}

int32_t copy_to_device(Device*, uint64_t to, const void* from, uint64_t bytes, ch_error*) {
    if (bytes) memcpy(reinterpret_cast<void*>(to), from, bytes);
    return CH_OK;
}

int32_t copy_from_device(Device*, void* to, uint64_t from, uint64_t bytes, ch_error*) {
    if (bytes) memcpy(to, reinterpret_cast<const void*>(from), bytes);
    return CH_OK;
}

}  // namespace chiphost::platform

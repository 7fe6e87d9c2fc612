// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>

#include "chiphost/platform/device.h"
#include "register_file.h"

namespace chiphost::platform {

class Device {
public:
    explicit Device(const ch_device_options& options)
        : anchor(options.anchor),
          anchor_state(options.anchor_state),
          memory_limit(options.device_memory_bytes ? options.device_memory_bytes : chip.memory_bytes) {}
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    const ch_anchor* const anchor;
    void* const anchor_state;

    const uint64_t memory_limit;
    uint64_t memory_used = 0;
    std::map<uint64_t, uint64_t> allocations;  // address to bytes

    ch_library* aicpu_library = nullptr;
    ch_library* aicore_library = nullptr;
    const ch_aicpu_program* aicpu = nullptr;
    const ch_aicore_program* aicore = nullptr;
    void* aicpu_context = nullptr;  // made for the first launch, kept for the next
    RegisterFile registers;
};

}  // namespace chiphost::platform

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <string>

#include "graph/orchestration.h"
#include "host/runtime.h"
#include "status/status.h"

namespace chiphost::host {

// An orchestration's file, in device memory for as long as its callable is loaded.
class DeviceLibrary final : public Orchestration {
public:
    explicit DeviceLibrary(platform::Device* device) : device_(device) {}
    ~DeviceLibrary() override;

    // Copies the file to the device. CH_INVALID_ARGUMENT for names that are too long, CH_DEVICE_MEMORY_EXHAUSTED.
    Status load(const ch_callable& callable, ch_error* out_error);

    // Tells the AICPU where it is and what it is called.
    void describe(graph::Orchestration* plan) const;

private:
    platform::Device* const device_;
    std::string name_, key_, entry_;
    uint64_t address_ = 0;
    uint64_t bytes_ = 0;
};

}  // namespace chiphost::host

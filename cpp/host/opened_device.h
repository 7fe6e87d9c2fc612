// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "chiphost/abi/host_runtime.h"
#include "launch_area.h"
#include "loaded_callable.h"
#include "runtime.h"
#include "status/status.h"

namespace chiphost::host {

// Options of a device that outlive the call that they were given in.
class KeptOptions {
public:
    explicit KeptOptions(const ch_device_options& options);
    KeptOptions(const KeptOptions&) = delete;
    KeptOptions& operator=(const KeptOptions&) = delete;
    const ch_device_options& raw() const { return raw_; }

private:
    ch_device_options raw_;
    std::string texts_[7];
};

// An open device with the runtime that uses it, and what they keep between runs. Destroying it closes the device.
struct OpenedDevice {
    OpenedDevice() = default;
    ~OpenedDevice();
    OpenedDevice(const OpenedDevice&) = delete;
    OpenedDevice& operator=(const OpenedDevice&) = delete;

    // On failure the object may only be destroyed.
    Status open(const ch_device_options& options, ch_error* out_error);

    platform::Device* device = nullptr;
    std::unique_ptr<Runtime> runtime;
    std::unique_ptr<LoadedCallables> callables;
    std::unique_ptr<LaunchArea> launch_area;
};

}  // namespace chiphost::host

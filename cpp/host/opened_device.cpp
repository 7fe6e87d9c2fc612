// SPDX-License-Identifier: Apache-2.0
#include "opened_device.h"

#include "status/report.h"

namespace chiphost::host {

KeptOptions::KeptOptions(const ch_device_options& options) : raw_(options) {
    const char** const fields[] = {&raw_.aicpu.path,  &raw_.aicpu.key,  &raw_.aicore.path, &raw_.aicore.key,
                                   &raw_.temp_folder, &raw_.sdk_folder, &raw_.sdk_variable};
    static_assert(sizeof fields / sizeof *fields == sizeof texts_ / sizeof *texts_);
    std::string* text = texts_;
    for (const char** field : fields) {
        if (!*field) continue;
        *text = *field;
        *field = text++->c_str();
    }
}

Status OpenedDevice::open(const ch_device_options& options, ch_error* out_error) {
    CH_TRY(platform::open_device(options, &device, out_error));
    runtime = make_runtime(device, options.anchor, options.anchor_state);
    if (!runtime) return report(out_error, CH_INTERNAL, runtime_name, "make_runtime returned no runtime");
    callables = std::make_unique<LoadedCallables>(device, runtime.get());
    launch_area = std::make_unique<LaunchArea>(device);
    return CH_OK;
}

OpenedDevice::~OpenedDevice() {
    launch_area.reset();
    callables.reset();
    runtime.reset();
    if (device) platform::close_device(device);
}

}  // namespace chiphost::host

// SPDX-License-Identifier: Apache-2.0
#include "device_library.h"

#include "status/report.h"

namespace chiphost::host {

DeviceLibrary::~DeviceLibrary() {
    if (address_) platform::release(device_, address_);
}

Status DeviceLibrary::load(const ch_callable& callable, ch_error* out_error) {
    const ch_binary& binary = callable.orchestration;
    name_ = binary.name;
    key_ = binary.key ? binary.key : "";
    entry_ = callable.entry;
    bytes_ = binary.bytes;
    if (entry_.size() >= graph::name_bytes || key_.size() >= graph::key_bytes) {
        return report(out_error, CH_INVALID_ARGUMENT, binary.name,
                      "wanted an entry of fewer than %u characters and a key of fewer than %u", graph::name_bytes,
                      graph::key_bytes);
    }
    CH_TRY(platform::allocate(device_, bytes_, &address_, out_error));
    return platform::copy_to_device(device_, address_, binary.data, bytes_, out_error);
}

void DeviceLibrary::describe(graph::Orchestration* plan) const {
    plan->library = address_;
    plan->library_bytes = bytes_;
    copy_text(plan->library_key, sizeof plan->library_key, key_);
    copy_text(plan->library_name, sizeof plan->library_name, name_);
    copy_text(plan->entry, sizeof plan->entry, entry_);
}

}  // namespace chiphost::host

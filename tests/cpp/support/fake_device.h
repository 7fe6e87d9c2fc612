// SPDX-License-Identifier: Apache-2.0
//
// A device that counts the things it was given, for tests of cpp/host without a runtime. Include it in one file of a
// test.
#pragma once

#include <string.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "chiphost/platform/device.h"
#include "host/runtime.h"
#include "status/report.h"

namespace chiphost::platform {

class Device {
public:
    std::map<uint64_t, std::unique_ptr<char[]>> memory;  // by address
    std::vector<std::string> kernels;                    // names, loaded now
    uint32_t kernel_loads = 0;
    uint32_t allocations_left = UINT32_MAX;  // then there is no memory
};

int32_t allocate(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error) {
    if (device->allocations_left == 0) return report(out_error, CH_DEVICE_MEMORY_EXHAUSTED, "device memory", "none");
    --device->allocations_left;
    auto made = std::make_unique<char[]>(bytes ? bytes : 1);
    *out_address = reinterpret_cast<uint64_t>(made.get());
    device->memory[*out_address] = std::move(made);
    return CH_OK;
}
int32_t allocate_zeroed(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error) {
    return allocate(device, bytes, out_address, out_error);
}
void release(Device* device, uint64_t address) {
    EXPECT_EQ(device->memory.erase(address), 1u) << "released twice, or never allocated";
}
int32_t copy_to_device(Device*, uint64_t to, const void* from, uint64_t bytes, ch_error*) {
    if (bytes != 0) memcpy(reinterpret_cast<void*>(to), from, bytes);
    return CH_OK;
}
int32_t copy_from_device(Device*, void* to, uint64_t from, uint64_t bytes, ch_error*) {
    if (bytes != 0) memcpy(to, reinterpret_cast<const void*>(from), bytes);
    return CH_OK;
}

// The address of a kernel is 100 plus its func_id. Its owner is the name of a kernel that is loaded.
int32_t load_kernel(Device* device, const ch_kernel& kernel, LoadedKernel* out_kernel, ch_error* out_error) {
    const std::string name = kernel.binary.name;
    if (name == "broken") return report(out_error, CH_LOAD_REFUSED, "broken", "it is broken");
    device->kernels.push_back(name);
    ++device->kernel_loads;
    *out_kernel = {100 + uint64_t{kernel.func_id}, new std::string(name), name == "hands over"};
    return CH_OK;
}
void unload_kernel(Device* device, const LoadedKernel& kernel) {
    const std::unique_ptr<std::string> name(static_cast<std::string*>(kernel.owner));
    for (size_t i = 0; i < device->kernels.size(); ++i) {
        if (device->kernels[i] != *name) continue;
        device->kernels.erase(device->kernels.begin() + static_cast<ptrdiff_t>(i));
        return;
    }
    ADD_FAILURE() << *name << " was not loaded";
}

}  // namespace chiphost::platform

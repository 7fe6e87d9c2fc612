// SPDX-License-Identifier: Apache-2.0
#include "loaded_callable.h"

#include "status/report.h"

namespace chiphost::host {

LoadedCallable::~LoadedCallable() {
    for (const platform::LoadedKernel& kernel : loaded_) platform::unload_kernel(device_, kernel);
    if (kernel_addresses_) platform::release(device_, kernel_addresses_);
}

Status LoadedCallable::load(const ch_callable& callable, Runtime* runtime, ch_error* out_error) {
    for (uint32_t i = 0; i < callable.kernel_count; ++i) {
        const ch_kernel& kernel = callable.kernels[i];
        if (kernel.func_id > CH_MAX_FUNC_ID) {
            return report(out_error, CH_FUNC_ID_OUT_OF_RANGE, kernel.binary.name, "wanted 0..%d, found %u",
                          CH_MAX_FUNC_ID, kernel.func_id);
        }
        if (kernel.core_type != CH_AIC && kernel.core_type != CH_AIV) {
            return report(out_error, CH_CORE_TYPE_INVALID, kernel.binary.name, "wanted %d (AIC) or %d (AIV), found %u",
                          CH_AIC, CH_AIV, kernel.core_type);
        }
        platform::LoadedKernel loaded;
        loaded_.reserve(loaded_.size() + 1);
        CH_TRY(platform::load_kernel(device_, kernel, &loaded, out_error));
        loaded_.push_back(loaded);
        hands_over_ = hands_over_ || loaded.hands_over;
        kernels_.set(kernel.func_id, {loaded.address, kernel.core_type}, kernel.binary.name);
    }
    std::vector<uint64_t> addresses(kernels_.size());
    for (uint32_t func_id = 0; func_id < addresses.size(); ++func_id) addresses[func_id] = kernels_[func_id].address;
    const uint64_t bytes = addresses.size() * sizeof(uint64_t);
    const uint64_t name_bytes = addresses.size() * sizeof(graph::KernelName);
    CH_TRY(platform::allocate(device_, bytes + name_bytes, &kernel_addresses_, out_error));
    CH_TRY(platform::copy_to_device(device_, kernel_addresses_, addresses.data(), bytes, out_error));
    CH_TRY(platform::copy_to_device(device_, kernel_names(), kernels_.name_table(), name_bytes, out_error));
    CH_TRY(runtime->load(callable, &orchestration_, out_error));
    if (orchestration_) return CH_OK;
    return report(out_error, CH_INTERNAL, runtime_name, "load returned CH_OK and no orchestration");
}

Status LoadedCallables::get(const ch_callable& callable, LoadedCallable** out_callable, ch_error* out_error) {
    const std::string key = callable.key;
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
        order_.splice(order_.begin(), order_, found->second);
        *out_callable = found->second->second.get();
        return CH_OK;
    }
    auto loaded = std::make_unique<LoadedCallable>(device_);
    CH_TRY(loaded->load(callable, runtime_, out_error));
    *out_callable = loaded.get();
    const auto place = by_key_.emplace(key, order_.end()).first;
    try {
        order_.emplace_front(key, std::move(loaded));
    } catch (...) {
        by_key_.erase(place);
        throw;
    }
    place->second = order_.begin();
    if (order_.size() > kept_max) {
        by_key_.erase(order_.back().first);
        order_.pop_back();
    }
    return CH_OK;
}

}  // namespace chiphost::host

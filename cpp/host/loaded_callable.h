// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime.h"
#include "status/status.h"

namespace chiphost::host {

// A callable whose kernels are on the device and whose orchestration is loaded.
class LoadedCallable {
public:
    LoadedCallable(platform::Device* device) : device_(device) {}
    ~LoadedCallable();
    LoadedCallable(const LoadedCallable&) = delete;
    LoadedCallable& operator=(const LoadedCallable&) = delete;

    // Loads kernels and orchestration. After a failure the object is of no use.
    Status load(const ch_callable& callable, Runtime* runtime, ch_error* out_error);

    const KernelTable& kernels() const { return kernels_; }
    bool hands_over() const { return hands_over_; }  // a kernel does
    Orchestration& orchestration() { return *orchestration_; }
    // Device address of one uint64_t for each func_id below kernels().size().
    uint64_t kernel_addresses() const { return kernel_addresses_; }
    // Device address of one graph::KernelName for each of them, right behind the addresses.
    uint64_t kernel_names() const { return kernel_addresses_ + kernels_.size() * sizeof(uint64_t); }

private:
    platform::Device* const device_;
    std::vector<platform::LoadedKernel> loaded_;
    KernelTable kernels_;
    uint64_t kernel_addresses_ = 0;
    bool hands_over_ = false;
    std::unique_ptr<Orchestration> orchestration_;
};

// The callables of a context: loaded at their first run, kept for the next, the least recently used dropped.
class LoadedCallables {
public:
    static constexpr size_t kept_max = 64;

    LoadedCallables(platform::Device* device, Runtime* runtime) : device_(device), runtime_(runtime) {}

    // Valid until the next call.
    Status get(const ch_callable& callable, LoadedCallable** out_callable, ch_error* out_error);

private:
    using Order = std::list<std::pair<std::string, std::unique_ptr<LoadedCallable>>>;

    platform::Device* const device_;
    Runtime* const runtime_;
    Order order_;  // most recently used first
    std::unordered_map<std::string, Order::iterator> by_key_;
};

}  // namespace chiphost::host

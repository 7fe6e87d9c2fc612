// SPDX-License-Identifier: Apache-2.0
//
// A real device: memory, copies and kernels over the vendor's runtime.
//
// The vendor's software keeps state of its own for the process and for each thread. So nothing here is closed that
// other workers may use: neither the runtime (aclFinalize) nor the device (aclrtResetDevice).
#include "chiphost/platform/device.h"

#include <memory>
#include <new>
#include <unordered_map>

#include "launcher.h"
#include "registers.h"
#include "status/report.h"

namespace chiphost::platform {

namespace {

constexpr uint64_t alignment = 64;

ch_loader_gate* loader_gate(const ch_device_options& options) {
    ch_loader_gate* gate = nullptr;
    options.anchor->loader_gate(options.anchor_state, nullptr, &gate);
    return gate;
}

}  // namespace

class Device {
public:
    explicit Device(const ch_device_options& options)
        : id_(options.device_id),
          memory_limit_(options.device_memory_bytes ? options.device_memory_bytes : chip.memory_bytes),
          driver_(loader_gate(options)) {}
    ~Device();

    Status open(const ch_device_options& options, ch_error* out_error);
    Status allocate(uint64_t bytes, uint64_t* out_address, ch_error* out_error);
    Status clear(uint64_t address, uint64_t bytes, ch_error* out_error);
    // Gives new memory its content; gives the memory back if that fails.
    template <typename Body>
    Status fill(uint64_t address, Body&& body);
    void release(uint64_t address);
    Status copy_to(uint64_t to, const void* from, uint64_t bytes, ch_error* out_error);
    Status copy_from(void* to, uint64_t from, uint64_t bytes, ch_error* out_error);
    Status load_kernel(const ch_kernel& kernel, LoadedKernel* out_kernel, ch_error* out_error);
    Status check_launch(const LaunchOptions& options, ch_error* out_error) const;
    Status launch(const LaunchOptions& options, ch_error* out_error);

private:
    Status enter(ch_error* out_error);

    const int32_t id_;
    const uint64_t memory_limit_;
    uint64_t memory_used_ = 0;
    std::unordered_map<uint64_t, uint64_t> allocations_;  // address to bytes
    Driver driver_;
    std::unique_ptr<Launcher> launcher_;  // before the driver is let go
};

Device::~Device() {
    ch_error ignored = no_error();
    if (!launcher_ || enter(&ignored) != CH_OK || !launcher_->close()) {
        (void)launcher_.release();  // it belongs to programs that may still run, or no call would reach the device
        return;
    }
    launcher_.reset();
    for (const auto& [address, bytes] : allocations_) driver_.aclrtFree(reinterpret_cast<void*>(address));
}

// The vendor's runtime wants every thread to name the device, and another device may have been named since.
Status Device::enter(ch_error* out_error) {
    const int32_t code = driver_.aclrtSetDevice(id_);
    return code == 0 ? Status(CH_OK) : driver_.failed("aclrtSetDevice", code, out_error);
}

Status Device::open(const ch_device_options& options, ch_error* out_error) {
    const char* sdk_folder = options.sdk_folder ? options.sdk_folder : "";
    const char* sdk_variable = options.sdk_variable ? options.sdk_variable : "";
    CH_TRY(driver_.load(sdk_folder, sdk_variable, register_call_name, out_error));
    const int32_t code = driver_.aclInit(nullptr);
    if (code != 0 && code != acl_error_repeat_initialize) return driver_.failed("aclInit", code, out_error);
    driver_.keep();
    CH_TRY(enter(out_error));
    launcher_ = std::make_unique<Launcher>(driver_);
    return launcher_->open(options, out_error);
}

Status Device::allocate(uint64_t bytes, uint64_t* out_address, ch_error* out_error) {
    CH_TRY(enter(out_error));
    const uint64_t wanted = bytes ? bytes : 1;
    const uint64_t room = memory_limit_ - memory_used_;
    void* memory = nullptr;
    const int32_t code =
        wanted > room ? acl_error_out_of_memory : driver_.aclrtMalloc(&memory, wanted, acl_malloc_huge_first);
    if (code == acl_error_out_of_memory) {
        return report(out_error, CH_DEVICE_MEMORY_EXHAUSTED, "device memory",
                      "wanted %llu bytes, %llu of %llu bytes are free%s", static_cast<unsigned long long>(wanted),
                      static_cast<unsigned long long>(room), static_cast<unsigned long long>(memory_limit_),
                      wanted > room ? "" : " by this worker's count, but the device has not so much");
    }
    if (code != 0) return driver_.failed("aclrtMalloc", code, out_error);
    const auto address = reinterpret_cast<uint64_t>(memory);
    if (address % alignment != 0) {
        driver_.aclrtFree(memory);
        return report(out_error, CH_PLATFORM_FAILED, "aclrtMalloc", "wanted an alignment of %llu, found 0x%llx",
                      static_cast<unsigned long long>(alignment), static_cast<unsigned long long>(address));
    }
    try {
        allocations_[address] = wanted;
    } catch (const std::bad_alloc&) {
        driver_.aclrtFree(memory);
        throw;
    }
    memory_used_ += wanted;
    *out_address = address;
    return CH_OK;
}

Status Device::clear(uint64_t address, uint64_t bytes, ch_error* out_error) {
    const uint64_t all = allocations_[address];
    launcher_->note_written(address, all);
    const int32_t code = driver_.aclrtMemset(reinterpret_cast<void*>(address), all, 0, bytes ? bytes : 1);
    return code == 0 ? Status(CH_OK) : driver_.failed("aclrtMemset", code, out_error);
}

template <typename Body>
Status Device::fill(uint64_t address, Body&& body) {
    try {
        const Status failed = body();
        if (!failed.ok()) release(address);
        return failed;
    } catch (const std::bad_alloc&) {
        release(address);
        throw;
    }
}

void Device::release(uint64_t address) {
    const auto found = allocations_.find(address);
    ch_error ignored = no_error();
    if (found == allocations_.end() || enter(&ignored) != CH_OK) return;
    if (launcher_->lost()) return;
    launcher_->note_released(address, found->second);
    driver_.aclrtFree(reinterpret_cast<void*>(address));
    memory_used_ -= found->second;
    allocations_.erase(found);
}

Status Device::copy_to(uint64_t to, const void* from, uint64_t bytes, ch_error* out_error) {
    if (bytes == 0) return CH_OK;
    CH_TRY(enter(out_error));
    launcher_->note_written(to, bytes);
    const int32_t code = driver_.aclrtMemcpy(reinterpret_cast<void*>(to), bytes, from, bytes, acl_host_to_device);
    return code == 0 ? Status(CH_OK) : driver_.failed("aclrtMemcpy", code, out_error);
}

Status Device::copy_from(void* to, uint64_t from, uint64_t bytes, ch_error* out_error) {
    if (bytes == 0) return CH_OK;
    CH_TRY(enter(out_error));
    const int32_t code = driver_.aclrtMemcpy(to, bytes, reinterpret_cast<const void*>(from), bytes, acl_device_to_host);
    return code == 0 ? Status(CH_OK) : driver_.failed("aclrtMemcpy", code, out_error);
}

// A kernel is the code of its entry and what follows, at any address. Nothing in it says whether it hands tiles over.
Status Device::load_kernel(const ch_kernel& kernel, LoadedKernel* out_kernel, ch_error* out_error) {
    uint64_t address = 0;
    CH_TRY(allocate(kernel.binary.bytes, &address, out_error));
    CH_TRY(fill(address, [&] { return copy_to(address, kernel.binary.data, kernel.binary.bytes, out_error); }));
    *out_kernel = LoadedKernel{address, nullptr, true};
    return CH_OK;
}

Status Device::check_launch(const LaunchOptions& options, ch_error* out_error) const {
    if (launcher_->lost()) {
        return report(out_error, CH_PLATFORM_FAILED, "device",
                      "programs of an earlier launch, which failed, may still run: make a new worker");
    }
    if (options.out_trace) {
        return report(out_error, CH_UNIMPLEMENTED, "trace", "wanted False: only a simulated chip can be traced");
    }
    if (options.check != 0) {
        return report(out_error, CH_UNIMPLEMENTED, "check", "wanted none: only a simulated chip can be checked");
    }
    if (options.exploration) {
        return report(out_error, CH_UNIMPLEMENTED, "exploration", "only the order of a simulated chip can be chosen");
    }
    return CH_OK;
}

Status Device::launch(const LaunchOptions& options, ch_error* out_error) {
    CH_TRY(check_launch(options, out_error));
    CH_TRY(enter(out_error));
    return launcher_->launch(options, out_error);
}

int32_t open_device(const ch_device_options& options, Device** out_device, ch_error* out_error) {
    auto device = std::make_unique<Device>(options);
    CH_TRY(device->open(options, out_error));
    *out_device = device.release();
    return CH_OK;
}

void close_device(Device* device) {
    delete device;
}

int32_t allocate(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error) {
    return device->allocate(bytes, out_address, out_error);
}

int32_t allocate_zeroed(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error) {
    CH_TRY(device->allocate(bytes, out_address, out_error));
    return device->fill(*out_address, [&] { return device->clear(*out_address, bytes, out_error); });
}

void release(Device* device, uint64_t address) {
    device->release(address);
}

int32_t copy_to_device(Device* device, uint64_t to, const void* from, uint64_t bytes, ch_error* out_error) {
    return device->copy_to(to, from, bytes, out_error);
}

int32_t copy_from_device(Device* device, void* to, uint64_t from, uint64_t bytes, ch_error* out_error) {
    return device->copy_from(to, from, bytes, out_error);
}

int32_t load_kernel(Device* device, const ch_kernel& kernel, LoadedKernel* out_kernel, ch_error* out_error) {
    return device->load_kernel(kernel, out_kernel, out_error);
}

void unload_kernel(Device* device, const LoadedKernel& kernel) {
    device->release(kernel.address);
}

int32_t check_launch(Device* device, const LaunchOptions& options, ch_error* out_error) {
    return device->check_launch(options, out_error);
}

int32_t launch(Device* device, const LaunchOptions& options, ch_error* out_error) {
    return device->launch(options, out_error);
}

}  // namespace chiphost::platform

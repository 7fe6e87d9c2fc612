// SPDX-License-Identifier: Apache-2.0
//
// The simulated device: this process's memory, and an engine that steps the programs.
#include "chiphost/platform/device.h"

#include <string.h>

#include <memory>
#include <string>

#include "arena.h"
#include "check/checker.h"
#include "device_memory.h"
#include "device_programs.h"
#include "launcher.h"
#include "status/report.h"

namespace chiphost::platform {

class Device {
public:
    explicit Device(const ch_device_options& options)
        : anchor_(options.anchor),
          anchor_state_(options.anchor_state),
          checks_(options.checked ? std::make_unique<Checks>(memory_bytes(options)) : nullptr),
          memory_(memory_bytes(options), checks_ ? &checks_->arena : nullptr),
          programs_(anchor_, anchor_state_),
          launcher_(options, &programs_, checks_ ? &checks_->checker : nullptr, checks_ ? &checks_->arena : nullptr) {}
    ~Device() { programs_.destroy_aicpu_context(); }

    Status load_programs(const ch_device_options& options, ch_error* out_error) {
        return programs_.load(options, out_error);
    }
    Status allocate(uint64_t bytes, bool zeroed, uint64_t* out_address, ch_error* out_error) {
        CH_TRY(memory_.allocate(bytes, zeroed, out_address, out_error));
        if (checks_) checks_->checker.allocated(*out_address, bytes ? bytes : 1, zeroed);
        return CH_OK;
    }
    void release(uint64_t address) {
        if (checks_) checks_->checker.released(address);
        memory_.release(address);
    }
    void copied_in(uint64_t address, uint64_t bytes) {
        if (checks_) checks_->checker.copied_in(address, bytes);
    }
    void copied_out(uint64_t address, uint64_t bytes) {
        if (!checks_ || !checks_->report) return;
        if (checks_->checker.copied_out(address, bytes)) *checks_->report = checks_->checker.report();
    }
    Status load_kernel(const ch_kernel& kernel, LoadedKernel* out_kernel, ch_error* out_error);
    void unload(void* library) { anchor_->close_library(anchor_state_, library, nullptr); }
    void begin_run() {
        if (!checks_) return;
        checks_->report = nullptr;
        checks_->arena.begin_run();
        checks_->checker.begin_run();
    }
    Status launch(const LaunchOptions& options, ch_error* out_error) {
        if (checks_) checks_->report = options.out_check_report;
        const Status launched = launcher_.launch(options, out_error);
        return launched.ok() ? memory_.check_red_zones(out_error) : launched;
    }

private:
    // What a device has that is opened for checks.
    struct Checks {
        explicit Checks(uint64_t bytes_max)
            : arena(bytes_max), checker(arena.begin(), arena.end(), chip.cache_line_bytes) {}
        Arena arena;
        check::Checker checker;
        std::string* report = nullptr;  // of the last launch
    };
    static uint64_t memory_bytes(const ch_device_options& options) {
        return options.device_memory_bytes ? options.device_memory_bytes : chip.memory_bytes;
    }

    const ch_anchor* const anchor_;
    void* const anchor_state_;
    const std::unique_ptr<Checks> checks_;
    DeviceMemory memory_;
    DevicePrograms programs_;
    Launcher launcher_;
};

Status Device::load_kernel(const ch_kernel& kernel, LoadedKernel* out_kernel, ch_error* out_error) {
    ch_library* library = nullptr;
    ch_open_request request{};
    request.binary = kernel.binary;
    request.out_library = &library;
    CH_TRY(anchor_->open_library(anchor_state_, &request, out_error));
    void* entry = nullptr;
    void* mark = nullptr;
    const char* const name = kernel.binary.name;
    const auto find = [&](const char* symbol, void** out_address) {
        return find_symbol(anchor_, anchor_state_, library, symbol, name, out_address, out_error);
    };
    Status failed = find("kernel_entry", &entry);
    if (failed.ok() && !entry) {
        failed = report(out_error, CH_ENTRY_MISSING, name,
                        "wanted the function kernel_entry in the kernel of func_id %u", kernel.func_id);
    }
    if (failed.ok()) failed = find("chiphost_kernel_hands_over", &mark);
    void* attach = nullptr;
    if (failed.ok() && checks_) failed = find(CHIPHOST_CHECK_ATTACH, &attach);
    if (!failed.ok()) {
        unload(library);
        return failed;
    }
    if (attach) reinterpret_cast<check::Attach>(attach)(checks_->checker.recorder());
    if (mark) launcher_.let_kernels_pause();
    *out_kernel =
        LoadedKernel{reinterpret_cast<uint64_t>(entry) | (mark ? kernel_pauses_bit : 0), library, mark != nullptr};
    return CH_OK;
}

int32_t open_device(const ch_device_options& options, Device** out_device, ch_error* out_error) {
    if (const Chip::Excess excess = chip.excess(); excess.what) {
        return report(out_error, CH_PLATFORM_FAILED, chip.name, "the chip has %u %s, and there is room for %u",
                      excess.found, excess.what, excess.most);
    }
    auto device = std::make_unique<Device>(options);
    CH_TRY(device->load_programs(options, out_error));
    *out_device = device.release();
    return CH_OK;
}

void close_device(Device* device) {
    delete device;
}

int32_t allocate(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error) {
    return device->allocate(bytes, false, out_address, out_error);
}

int32_t allocate_zeroed(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error) {
    return device->allocate(bytes, true, out_address, out_error);
}

void release(Device* device, uint64_t address) {
    device->release(address);
}

int32_t copy_to_device(Device* device, uint64_t to, const void* from, uint64_t bytes, ch_error*) {
    if (bytes != 0) memcpy(reinterpret_cast<void*>(to), from, bytes);
    device->copied_in(to, bytes);
    return CH_OK;
}

int32_t copy_from_device(Device* device, void* to, uint64_t from, uint64_t bytes, ch_error*) {
    if (bytes != 0) memcpy(to, reinterpret_cast<const void*>(from), bytes);
    device->copied_out(from, bytes);
    return CH_OK;
}

int32_t load_kernel(Device* device, const ch_kernel& kernel, LoadedKernel* out_kernel, ch_error* out_error) {
    return device->load_kernel(kernel, out_kernel, out_error);
}

void unload_kernel(Device* device, const LoadedKernel& kernel) {
    device->unload(kernel.owner);
}

// Everything that a launch has begun is over when it returns, or is left behind with memory of its own. This is the
// first that the device hears of a run.
int32_t check_launch(Device* device, const LaunchOptions&, ch_error*) {
    device->begin_run();
    return CH_OK;
}

int32_t launch(Device* device, const LaunchOptions& options, ch_error* out_error) {
    return device->launch(options, out_error);
}

}  // namespace chiphost::platform

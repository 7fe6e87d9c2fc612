// SPDX-License-Identifier: Apache-2.0
//
// The simulated device: this process's memory, and an engine that steps the programs.
#include "chiphost/platform/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memory>
#include <new>
#include <unordered_map>

#include "abi/report.h"
#include "engine.h"
#include "sim_port.h"

namespace chiphost::platform {

namespace {

constexpr uint64_t alignment = 64;

// Memory that grows to the largest size asked for.
class Scratch {
public:
    Scratch() = default;
    ~Scratch() { free(memory_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    // Undefined content. Throws std::bad_alloc.
    char* at_least(uint64_t bytes) {
        if (bytes > bytes_) {
            free(memory_);
            bytes_ = (bytes + alignment - 1) / alignment * alignment;
            memory_ = static_cast<char*>(aligned_alloc(alignment, bytes_));
            if (!memory_) {
                bytes_ = 0;
                throw std::bad_alloc();
            }
        }
        return memory_;
    }

private:
    char* memory_ = nullptr;
    uint64_t bytes_ = 0;
};

}  // namespace

class Device {
public:
    Device(const ch_anchor* anchor, void* anchor_state, uint64_t memory_bytes)
        : anchor_(anchor),
          anchor_state_(anchor_state),
          memory_limit_(memory_bytes ? memory_bytes : chip.memory_bytes),
          registers_(chip.physical_cores * register_count) {}
    ~Device();

    int32_t load_programs(const ch_device_options& options, ch_error* out_error);
    int32_t allocate(uint64_t bytes, uint64_t* out_address, ch_error* out_error);
    void release(uint64_t address);
    int32_t load_kernel(const ch_kernel& kernel, LoadedKernel* out_kernel, ch_error* out_error);
    void unload(void* library) { anchor_->close_library(anchor_state_, library, nullptr); }
    int32_t launch(const LaunchOptions& options, ch_error* out_error);

private:
    int32_t load_program(const ch_program_file& file, ch_library** out_library, ch_error* out_error);
    int32_t lend_helpers(uint32_t count, ch_error* out_error);
    int32_t run(Engine& engine, const LaunchOptions& options, ch_error* out_error);

    const ch_anchor* const anchor_;
    void* const anchor_state_;
    const uint64_t memory_limit_;
    uint64_t memory_used_ = 0;
    std::unordered_map<uint64_t, uint64_t> allocations_;  // address to bytes
    ch_library* aicpu_library_ = nullptr;
    ch_library* aicore_library_ = nullptr;
    const ch_aicpu_program* aicpu_program_ = nullptr;
    const ch_aicore_program* aicore_program_ = nullptr;
    std::vector<SimRegisters::Cell> registers_;
    Scratch aicpu_context_;
    Scratch core_contexts_;
    std::vector<AicorePort> core_ports_;
    std::vector<ch_mailbox*> helpers_;  // lent for as long as the device is open
    uint8_t core_of_physical_[Processors::max_cores] = {};
};

Device::~Device() {
    for (const auto& [address, bytes] : allocations_) free(reinterpret_cast<void*>(address));
    for (ch_mailbox* helper : helpers_) anchor_->return_thread(anchor_state_, helper, nullptr);
    if (aicpu_library_) unload(aicpu_library_);
    if (aicore_library_) unload(aicore_library_);
}

int32_t Device::load_program(const ch_program_file& file, ch_library** out_library, ch_error* out_error) {
    ch_open_request request{};
    request.binary.key = file.key;
    request.binary.name = file.path;
    request.out_library = out_library;
    return anchor_->open_library(anchor_state_, &request, out_error);
}

int32_t Device::load_programs(const ch_device_options& options, ch_error* out_error) {
    const auto find = [&](ch_library* library, const char* symbol, const char* path, void** out_entry) -> int32_t {
        const ch_symbol_request request{library, symbol, out_entry};
        anchor_->find_symbol(anchor_state_, &request, nullptr);
        return *out_entry ? CH_OK : report(out_error, CH_ENTRY_MISSING, path, "wanted the function %s", symbol);
    };
    void* entry = nullptr;
    if (const int32_t code = load_program(options.aicpu, &aicpu_library_, out_error)) return code;
    if (const int32_t code = find(aicpu_library_, CH_AICPU_PROGRAM_ENTRY, options.aicpu.path, &entry)) return code;
    aicpu_program_ = reinterpret_cast<ch_aicpu_program_entry>(entry)();
    if (const int32_t code = check_header(aicpu_program_->header,
                                          {CH_ABI_AICPU_PROGRAM, CH_DEVICE_PROGRAM_MAJOR, CH_DEVICE_PROGRAM_MINOR,
                                           sizeof(ch_aicpu_program), CHIPHOST_PLATFORM},
                                          options.aicpu.path, out_error)) {
        return code;
    }
    if (const int32_t code = load_program(options.aicore, &aicore_library_, out_error)) return code;
    if (const int32_t code = find(aicore_library_, CH_AICORE_PROGRAM_ENTRY, options.aicore.path, &entry)) return code;
    aicore_program_ = reinterpret_cast<ch_aicore_program_entry>(entry)();
    return check_header(aicore_program_->header,
                        {CH_ABI_AICORE_PROGRAM, CH_DEVICE_PROGRAM_MAJOR, CH_DEVICE_PROGRAM_MINOR,
                         sizeof(ch_aicore_program), CHIPHOST_PLATFORM},
                        options.aicore.path, out_error);
}

int32_t Device::allocate(uint64_t bytes, uint64_t* out_address, ch_error* out_error) {
    const uint64_t room = memory_limit_ - memory_used_;
    const uint64_t wanted = bytes ? bytes : 1;
    void* memory = nullptr;
    if (wanted <= room) memory = aligned_alloc(alignment, (wanted + alignment - 1) / alignment * alignment);
    if (!memory) {
        return report(out_error, CH_DEVICE_MEMORY_EXHAUSTED, "device memory",
                      "wanted %llu bytes, %llu of %llu bytes are free%s", static_cast<unsigned long long>(wanted),
                      static_cast<unsigned long long>(room), static_cast<unsigned long long>(memory_limit_),
                      wanted <= room ? ", but the host has no memory to simulate them" : "");
    }
    *out_address = reinterpret_cast<uint64_t>(memory);
    allocations_[*out_address] = wanted;
    memory_used_ += wanted;
    return CH_OK;
}

void Device::release(uint64_t address) {
    const auto found = allocations_.find(address);
    if (found == allocations_.end()) return;
    memory_used_ -= found->second;
    free(reinterpret_cast<void*>(address));
    allocations_.erase(found);
}

int32_t Device::load_kernel(const ch_kernel& kernel, LoadedKernel* out_kernel, ch_error* out_error) {
    ch_library* library = nullptr;
    ch_open_request request{};
    request.binary = kernel.binary;
    request.out_library = &library;
    if (const int32_t code = anchor_->open_library(anchor_state_, &request, out_error)) return code;
    void* entry = nullptr;
    const ch_symbol_request symbol{library, "kernel_entry", &entry};
    anchor_->find_symbol(anchor_state_, &symbol, nullptr);
    if (!entry) {
        unload(library);
        return report(out_error, CH_ENTRY_MISSING, kernel.binary.name,
                      "wanted the function kernel_entry in the kernel of func_id %u", kernel.func_id);
    }
    *out_kernel = LoadedKernel{reinterpret_cast<uint64_t>(entry), library};
    return CH_OK;
}

int32_t Device::lend_helpers(uint32_t count, ch_error* out_error) {
    while (helpers_.size() < count) {
        ch_mailbox* helper = nullptr;
        if (const int32_t code = anchor_->lease_thread(anchor_state_, nullptr, &helper)) {
            return report(out_error, static_cast<ch_code>(code), "sim_threads",
                          "the system refuses thread %zu of %u helpers", helpers_.size() + 1, count);
        }
        helpers_.push_back(helper);
    }
    return CH_OK;
}

int32_t Device::launch(const LaunchOptions& options, ch_error* out_error) {
    if (options.sim_threads <= 1) {
        SequentialEngine engine(options.seed, options.progress, options.out_trace);
        return run(engine, options, out_error);
    }
    if (const int32_t code = lend_helpers(options.sim_threads - 1, out_error)) return code;
    const std::vector<ch_mailbox*> helpers(helpers_.begin(), helpers_.begin() + options.sim_threads - 1);
    ParallelEngine engine(helpers, options.progress);
    return run(engine, options, out_error);
}

int32_t Device::run(Engine& engine, const LaunchOptions& options, ch_error* out_error) {
    const auto& launch = *reinterpret_cast<const ch_launch*>(options.launch);
    const uint32_t cores = options.block_dim * 3;
    const SimRegisters registers{registers_.data()};

    AicpuPort aicpu_ports[Processors::max_aicpu_threads];
    void* aicpu_port_addresses[Processors::max_aicpu_threads];
    for (uint32_t thread = 0; thread < options.aicpu_threads; ++thread) {
        aicpu_ports[thread] = {registers, engine.hooks(), core_of_physical_, thread};
        aicpu_port_addresses[thread] = &aicpu_ports[thread];
    }
    core_ports_.resize(cores);
    const uint64_t core_bytes = (aicore_program_->context_bytes() + alignment - 1) / alignment * alignment;
    char* core_contexts = core_contexts_.at_least(core_bytes * cores);
    for (uint32_t core = 0; core < cores; ++core) {
        const uint32_t physical = sim_physical_core(core);
        core_of_physical_[physical] = static_cast<uint8_t>(core);
        const uint64_t random = options.seed == 0 ? 0 : (options.seed + core) * 2 + 1;
        core_ports_[core] = {registers, engine.hooks(), core, physical, random, 0, options.progress};
        // The previous launch may have been cut off: no register may speak of it.
        registers.at(physical, Register::data_main_base).store(scheduler::main_base_idle, std::memory_order_relaxed);
        registers.at(physical, Register::cond).store(0, std::memory_order_relaxed);
        aicore_program_->init(core_contexts + core * core_bytes, &launch, core,
                              core < options.block_dim ? CH_AIC : CH_AIV, &core_ports_[core]);
    }
    char* aicpu_context = aicpu_context_.at_least(aicpu_program_->context_bytes(&launch));
    aicpu_program_->init(aicpu_context, &launch, aicpu_port_addresses);

    const Processors processors{aicpu_program_, aicpu_context, options.aicpu_threads, aicore_program_,
                                core_contexts,  core_bytes,    core_ports_.data(),    cores};
    const End end = engine.run(processors);
    int32_t code = CH_OK;
    if (end == End::stalled) {
        ch_launch_status stall{};
        stall.task = stall.core = stall.func_id = -1;
        aicpu_program_->explain_stall(aicpu_context, &stall);
        code = report(out_error, CH_STALLED, "device", "%s", stall.message);
        out_error->task = stall.task;
        out_error->core = stall.core;
    } else if (end == End::cancelled) {
        ch_launch_status state{};
        state.task = state.core = state.func_id = -1;
        aicpu_program_->explain_stall(aicpu_context, &state);
        code = report(out_error, CH_DEADLINE_EXCEEDED, "device", "stopped on request; %s", state.message);
        out_error->task = state.task;
        out_error->core = state.core;
    }
    aicpu_program_->deinit(aicpu_context);
    return code;
}

int32_t open_device(const ch_device_options& options, Device** out_device, ch_error* out_error) {
    auto device = std::make_unique<Device>(options.anchor, options.anchor_state, options.device_memory_bytes);
    if (const int32_t code = device->load_programs(options, out_error)) return code;
    *out_device = device.release();
    return CH_OK;
}

void close_device(Device* device) {
    delete device;
}

int32_t allocate(Device* device, uint64_t bytes, uint64_t* out_address, ch_error* out_error) {
    return device->allocate(bytes, out_address, out_error);
}

void release(Device* device, uint64_t address) {
    device->release(address);
}

int32_t copy_to_device(Device*, uint64_t to, const void* from, uint64_t bytes, ch_error*) {
    if (bytes != 0) memcpy(reinterpret_cast<void*>(to), from, bytes);
    return CH_OK;
}

int32_t copy_from_device(Device*, void* to, uint64_t from, uint64_t bytes, ch_error*) {
    if (bytes != 0) memcpy(to, reinterpret_cast<const void*>(from), bytes);
    return CH_OK;
}

int32_t load_kernel(Device* device, const ch_kernel& kernel, LoadedKernel* out_kernel, ch_error* out_error) {
    return device->load_kernel(kernel, out_kernel, out_error);
}

void unload_kernel(Device* device, const LoadedKernel& kernel) {
    device->unload(kernel.owner);
}

int32_t launch(Device* device, const LaunchOptions& options, ch_error* out_error) {
    return device->launch(options, out_error);
}

}  // namespace chiphost::platform

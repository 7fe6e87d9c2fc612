// SPDX-License-Identifier: Apache-2.0
//
// Kernels, and the loop that is the chip.
#include <stdlib.h>

#include <vector>

#include "chiphost/align.h"
#include "graph/core_protocol.h"
#include "status/report.h"
#include "status/status.h"
#include "third_device.h"

namespace chiphost::platform {

namespace {

void* find(Device& device, const ch_library* library, const char* symbol) {
    void* address = nullptr;
    const ch_symbol_request request{library, symbol, &address};
    device.anchor->find_symbol(device.anchor_state, &request, nullptr);
    return address;
}

// Steps every processor in turn until the AICPU threads are done.
class Loop {
public:
    Loop(Device& device, const LaunchOptions& options)
        : device_(device),
          launch_(*reinterpret_cast<const ch_launch*>(options.launch)),
          cancel_(&options.progress->cancel),
          aicpu_ports_(options.aicpu_threads, AicpuPort{&device.registers}),
          core_ports_(options.block_dim * 3),
          core_bytes_(align_up(device.aicore->context_bytes())),
          done_(options.aicpu_threads + core_ports_.size()) {
        if (!device.aicpu_context) {
            device.aicpu_context = aligned_alloc(64, align_up(device.aicpu->context_bytes()));
            device.aicpu->create(device.aicpu_context);
        }
        core_contexts_ = static_cast<char*>(aligned_alloc(64, core_bytes_ * core_ports_.size()));
        for (uint32_t core = 0; core < core_ports_.size(); ++core) {
            core_ports_[core] = {&device.registers, core};
            device.registers.at(core, Register::data_main_base) = core_protocol::main_base_idle;
            device.aicore->init(core_contexts_ + core * core_bytes_, &launch_, core,
                                core < options.block_dim ? CH_AIC : CH_AIV, &core_ports_[core]);
        }
        std::vector<void*> ports;
        for (AicpuPort& port : aicpu_ports_) ports.push_back(&port);
        device.aicpu->begin(device.aicpu_context, &launch_, ports.data());
    }
    ~Loop() {
        device_.aicpu->end(device_.aicpu_context);
        free(core_contexts_);
    }

    int32_t run(ch_error* out_error) {
        for (;;) {
            const bool cancelled = __atomic_load_n(cancel_, __ATOMIC_ACQUIRE) != 0;
            if (cancelled) return give_up(CH_DEADLINE_EXCEEDED, "stopped on request; ", out_error);
            device_.registers.something_happened = false;
            bool aicpu_done = true, all_idle = true;
            for (uint32_t i = 0; i < done_.size(); ++i) {
                if (done_[i]) continue;
                const ch_step result = step(i);
                done_[i] = result == CH_STEP_DONE;
                all_idle = all_idle && result == CH_STEP_IDLE;
                if (i < aicpu_ports_.size() && !done_[i]) aicpu_done = false;
            }
            if (aicpu_done) return CH_OK;
            if (all_idle && !device_.registers.something_happened) return give_up(CH_STALLED, "", out_error);
        }
    }

private:
    // Processors are the AICPU threads, then the cores.
    ch_step step(uint32_t processor) {
        const auto threads = static_cast<uint32_t>(aicpu_ports_.size());
        return processor < threads ? device_.aicpu->step(device_.aicpu_context, processor)
                                   : device_.aicore->step(core_contexts_ + (processor - threads) * core_bytes_);
    }

    int32_t give_up(ch_code code, const char* why, ch_error* out_error) {
        ch_error stall;
        device_.aicpu->explain_stall(device_.aicpu_context, &stall);
        report(out_error, code, "device", "%s%s", why, stall.message);
        out_error->task = stall.task;
        out_error->core = stall.core;
        return code;
    }

    Device& device_;
    const ch_launch& launch_;
    const uint32_t* const cancel_;
    std::vector<AicpuPort> aicpu_ports_;
    std::vector<AicorePort> core_ports_;
    const uint64_t core_bytes_;
    char* core_contexts_ = nullptr;
    std::vector<char> done_;
};

}  // namespace

int32_t load_kernel(Device* device, const ch_kernel& kernel, LoadedKernel* out_kernel, ch_error* out_error) {
    ch_library* library = nullptr;
    ch_open_request open{};
    open.binary = kernel.binary;
    open.out_library = &library;
    CH_TRY(device->anchor->open_library(device->anchor_state, &open, out_error));
    void* entry = find(*device, library, "kernel_entry");
    const bool hands_over = find(*device, library, "chiphost_kernel_hands_over") != nullptr;
    if (entry && !hands_over) {
        *out_kernel = {reinterpret_cast<uint64_t>(entry), library, false};
        return CH_OK;
    }
    device->anchor->close_library(device->anchor_state, library, nullptr);
    if (!entry) return report(out_error, CH_ENTRY_MISSING, kernel.binary.name, "wanted the function kernel_entry");
    return report(out_error, CH_UNIMPLEMENTED, kernel.binary.name, "cores run one after the other: no kernel can wait");
}

void unload_kernel(Device* device, const LoadedKernel& kernel) {
    device->anchor->close_library(device->anchor_state, static_cast<ch_library*>(kernel.owner), nullptr);
}

int32_t check_launch(Device*, const LaunchOptions&, ch_error*) {
    return CH_OK;
}

int32_t launch(Device* device, const LaunchOptions& options, ch_error* out_error) {
    return Loop(*device, options).run(out_error);
}

}  // namespace chiphost::platform

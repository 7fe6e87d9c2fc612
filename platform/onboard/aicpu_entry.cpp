// SPDX-License-Identifier: Apache-2.0
//
// The AICPU's own software calls these functions: the AICPU program on a real chip. The vendor's loader gives every
// launch to them, on as many threads as the host has asked for.
//
// Nothing is kept here between launches: what outlives one is on the AICPU's heap, and its address in the host's
// record.
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <new>

#include "chiphost/align.h"
#include "graph/core_protocol.h"
#include "graph/orchestration.h"
#include "launch_watch.h"
#include "status/report.h"

extern "C" const ch_aicpu_program* chiphost_aicpu_program();

namespace chiphost::platform {

namespace {

constexpr uint32_t look_every = 256;  // steps

template <typename T>
T* at(uint64_t address) {
    return reinterpret_cast<T*>(address);
}

// Makes the record's error visible to the host.
void show_error(const LaunchRecord* record) {
    flush_cache(&record->error, sizeof record->error);
}

// The AICPU program's side of one device: its context, and the ports of the launch that runs.
class Home {
public:
    explicit Home(void* context) : context_(context) { program_->create(context_); }
    ~Home() {
        program_->destroy(context_);
        free(context_);
    }

    // One thread of a launch. Returns when the thread has nothing more to do.
    void run(LaunchRecord* record, uint32_t thread) {
        if (thread == 0) {
            begin(record);
            __atomic_store_n(&record->begun, 1, __ATOMIC_RELEASE);
        } else {
            AicpuPort waiting{};
            while (__atomic_load_n(&record->begun, __ATOMIC_ACQUIRE) == 0) relax(&waiting);
        }
        step(&ports_[thread]);
        if (__atomic_add_fetch(&record->left, 1, __ATOMIC_ACQ_REL) == record->threads) end(record);
    }

private:
    void begin(LaunchRecord* record) {
        for_each_range(record, invalidate_cache);
        const auto* bases = at<const uint64_t>(record->register_bases);
        for (uint32_t i = 0; i < record->threads; ++i) {
            ports_[i] = {bases, &watch_, i, 0, 0};
            addresses_[i] = &ports_[i];
        }
        left_early_.store(false, std::memory_order_relaxed);
        watch_.begin(program_, context_, record, ports_);
        program_->begin(context_, at<const ch_launch>(record->launch), addresses_);
    }

    void step(AicpuPort* port) {
        for (uint32_t steps = 1;; ++steps) {
            const ch_step step = program_->step(context_, port->thread);
            if (step == CH_STEP_DONE) return;
            if (step == CH_STEP_WORKED) {
                __atomic_fetch_add(&port->activity, 1, __ATOMIC_RELAXED);
                port->idle = 0;
            } else {
                relax(port);
            }
            if (steps % look_every == 0) look_after(&watch_, port);
            if (watch_.end() != LaunchWatch::End::none && watch_.may_leave()) {
                left_early_.store(true, std::memory_order_release);
                return;
            }
        }
    }

    // The last thread to leave: says why, and makes everything visible that the host or the next launch will read.
    void end(LaunchRecord* record) {
        const ch_launch& launch = *at<const ch_launch>(record->launch);
        if (watch_.end() != LaunchWatch::End::none) {
            explain(record);
            show_error(record);
        }
        if (left_early_.load(std::memory_order_acquire)) release_cores(launch);
        program_->end(context_);
        const auto* status = at<const ch_launch_status>(launch.status);
        flush_cache(status, status->error.code == CH_OK ? offsetof(ch_launch_status, error.where) : sizeof *status);
        for_each_range(record, flush_cache);
    }

    void explain(LaunchRecord* record) {
        program_->explain_stall(context_, &record->error);
        if (watch_.end() != LaunchWatch::End::cancelled) return;
        const ch_error state = record->error;
        report(&record->error, CH_DEADLINE_EXCEEDED, "device", "stopped on request; %s", state.message);
        record->error.task = state.task;
        record->error.core = state.core;
    }

    // Cores whose registers were not opened wait in the handshake, or come to it later, and find that the launch is
    // over. The others find in their register that they are to exit. One that was told so already may have done it, and
    // its registers may be another launch's by now.
    void release_cores(const ch_launch& launch) {
        auto* handshakes = at<core_protocol::Handshake>(launch.handshakes);
        for (uint32_t core = 0; core < launch.block_dim * 3; ++core) {
            core_protocol::Handshake& handshake = handshakes[core];
            invalidate_cache(&handshake, sizeof handshake);
            const core_protocol::RegistersUse use = handshake.registers.load(std::memory_order_acquire);
            if (use == core_protocol::RegistersUse::none) {
                handshake.aicpu_regs_ready.store(core_protocol::launch_over, std::memory_order_release);
                handshake.aicpu_ready.store(1, std::memory_order_release);
                flush_cache(&handshake, sizeof handshake);
            } else if (use == core_protocol::RegistersUse::open) {
                write_register(&ports_[0], handshake.physical_core, Register::data_main_base,
                               core_protocol::main_base_exit);
            }
        }
    }

    template <typename Function>
    static void for_each_range(const LaunchRecord* record, Function&& function) {
        const auto* ranges = at<const MemoryRange>(record->ranges);
        invalidate_cache(ranges, record->range_count * sizeof *ranges);
        for (uint32_t i = 0; i < record->range_count; ++i) function(at<const void>(ranges[i].address), ranges[i].bytes);
    }

    const ch_aicpu_program* const program_ = chiphost_aicpu_program();
    void* const context_;
    LaunchWatch watch_;
    std::atomic<bool> left_early_{false};  // a thread of the launch did not wait for its cores
    AicpuPort ports_[aicpu_threads_max];
    void* addresses_[aicpu_threads_max];
};

void open(LaunchRecord* record) {
    const uint64_t bytes = chiphost_aicpu_program()->context_bytes();
    void* context = aligned_alloc(line_bytes, align_up(bytes));
    auto* home = context ? new (std::nothrow) Home(context) : nullptr;
    if (!home) {
        free(context);
        report(&record->error, CH_HOST_MEMORY_EXHAUSTED, "device", "the AICPU has no memory for its program's context");
        show_error(record);
        return;
    }
    record->new_context = reinterpret_cast<uint64_t>(home);
}

bool fits(LaunchRecord* record) {
    if (record->format == launch_record_format && strncmp(record->chip, chip.name, sizeof record->chip) == 0 &&
        record->threads <= aicpu_threads_max) {
        return true;
    }
    report(&record->error, CH_ABI_MISMATCH, "device",
           "wanted a record of format %u for %s, found format %u for %.15s: rebuild the programs", launch_record_format,
           chip.name, record->format, record->chip);
    show_error(record);
    return false;
}

// Every entry does this. The record says what is wanted.
void serve(LaunchRecord* record) {
    switch (record->verb) {
        case LaunchVerb::open:
            open(record);
            break;
        case LaunchVerb::run: {
            // More threads are launched than take part, so that enough of them come at once.
            const uint32_t thread = __atomic_fetch_add(&record->arrived, 1, __ATOMIC_ACQ_REL);
            if (thread < record->threads) at<Home>(record->context)->run(record, thread);
            break;
        }
        case LaunchVerb::close:
            delete at<Home>(record->context);
            break;
    }
}

uint32_t serve_arguments(void* arguments) {
    auto* record = at<LaunchRecord>(static_cast<const AicpuLaunchArgs*>(arguments)->record);
    // The texts of an error are most of the record. Who writes one shows it.
    constexpr size_t head_bytes = offsetof(LaunchRecord, error.where);
    invalidate_cache(record, head_bytes);
    if (fits(record)) serve(record);
    flush_cache(record, head_bytes);
    return 0;  // faults are in the record, with more than a number
}

}  // namespace

}  // namespace chiphost::platform

// The three functions that the vendor's loader looks for in an AICPU program.
extern "C" {

__attribute__((visibility("default"))) uint32_t DynTileFwkBackendKernelServerInit(void* arguments) {
    return chiphost::platform::serve_arguments(arguments);
}

__attribute__((visibility("default"))) uint32_t DynTileFwkBackendKernelServer(void* arguments) {
    return chiphost::platform::serve_arguments(arguments);
}

// For kernels that are known beforehand; the host never launches it.
__attribute__((visibility("default"))) int StaticTileFwkBackendKernelServer(void*) {
    return 1;
}
}

// SPDX-License-Identifier: Apache-2.0
//
// Kernels, and launches on threads that the anchor lends. The rest of the device is the third platform's.
#include <sched.h>
#include <stdlib.h>

#include <atomic>
#include <vector>

#include "../third_platform/third_device.h"
#include "chiphost/abi/mailbox.h"
#include "chiphost/align.h"
#include "crew.h"
#include "graph/core_protocol.h"
#include "status/report.h"
#include "status/status.h"

namespace chiphost::platform {

namespace {

constexpr std::chrono::milliseconds look_every{10};  // between two looks for the caller's wish to end the launch

void* find(Device& device, const ch_library* library, const char* symbol) {
    void* address = nullptr;
    const ch_symbol_request request{library, symbol, &address};
    device.anchor->find_symbol(device.anchor_state, &request, nullptr);
    return address;
}

// One launch. Its own thread steps the cores.
class Launch {
public:
    Launch(Device& device, const LaunchOptions& options)
        : device_(device),
          launch_(*reinterpret_cast<const ch_launch*>(options.launch)),
          progress_(options.progress),
          threads_(options.aicpu_threads),
          cores_(options.block_dim * 3),
          core_bytes_(align_up(device.aicore->context_bytes())) {}

    // Threads are lent before anything begins.
    ~Launch() {
        for (const Thread& thread : threads_) {
            if (thread.mailbox) device_.anchor->return_thread(device_.anchor_state, thread.mailbox, nullptr);
        }
        free(core_contexts_);
    }

    int32_t run(ch_error* out_error) {
        for (Thread& thread : threads_) {
            const int32_t code = device_.anchor->lease_thread(device_.anchor_state, nullptr, &thread.mailbox);
            if (code != CH_OK) {
                return report(out_error, static_cast<ch_code>(code), "device", "the system refuses a thread");
            }
        }
        begin();
        left_ = static_cast<uint32_t>(threads_.size());
        for (Thread& thread : threads_) ch_mailbox_post(thread.mailbox, step_thread, this, &thread, nullptr);
        step_cores();
        for (Thread& thread : threads_) {
            int32_t code = CH_OK;
            ch_mailbox_wait(thread.mailbox, CH_MAILBOX_FOR_EVER, &code);
        }
        const int32_t code = cancelled_ ? give_up(out_error) : static_cast<int32_t>(CH_OK);
        device_.aicpu->end(device_.aicpu_context);
        return code;
    }

private:
    struct Thread {
        ch_mailbox* mailbox = nullptr;
        ThreadPort port;
    };

    void begin() {
        if (!device_.aicpu_context) {
            device_.aicpu_context = aligned_alloc(64, align_up(device_.aicpu->context_bytes()));
            device_.aicpu->create(device_.aicpu_context);
        }
        std::vector<void*> ports;
        for (uint32_t i = 0; i < threads_.size(); ++i) {
            threads_[i].port = {{&device_.registers}, &crew_, i};
            ports.push_back(static_cast<AicpuPort*>(&threads_[i].port));
        }
        core_contexts_ = static_cast<char*>(aligned_alloc(64, core_bytes_ * cores_.size()));
        for (uint32_t core = 0; core < cores_.size(); ++core) {
            cores_[core] = {{&device_.registers, core}, &crew_, core, progress_};
            write(&device_.registers, core, Register::data_main_base, core_protocol::main_base_idle);
            device_.aicore->init(core_contexts_ + core * core_bytes_, &launch_, core,
                                 core < launch_.block_dim ? CH_AIC : CH_AIV, &cores_[core]);
        }
        device_.aicpu->begin(device_.aicpu_context, &launch_, ports.data());
    }

    // The steps of each AICPU thread.
    static int32_t step_thread(void* launch, const void* thread, void*) {
        auto& self = *static_cast<Launch*>(launch);
        const uint32_t number = static_cast<const Thread*>(thread)->port.thread;
        for (;;) {
            const ch_step step = self.device_.aicpu->step(self.device_.aicpu_context, number);
            if (step == CH_STEP_DONE) break;
            if (step == CH_STEP_IDLE) self.crew_.sleep(number);
            if (step == CH_STEP_POLL) sched_yield();
        }
        if (self.left_.fetch_sub(1) == 1) self.crew_.wake(Crew::cores);
        return CH_OK;
    }

    void step_cores() {
        std::vector<bool> done(cores_.size());
        while (left_ != 0) {
            if (!cancelled_ && __atomic_load_n(&progress_->cancel, __ATOMIC_ACQUIRE) != 0) {
                cancelled_ = true;
                device_.aicpu->stop(device_.aicpu_context);
                crew_.wake_all_but(Crew::cores);
            }
            bool again = false;
            for (uint32_t core = 0; core < cores_.size(); ++core) {
                if (done[core]) continue;
                const ch_step step = device_.aicore->step(core_contexts_ + core * core_bytes_);
                done[core] = step == CH_STEP_DONE;
                again = again || step != CH_STEP_IDLE;
            }
            if (!again) crew_.sleep_for(Crew::cores, look_every);
        }
    }

    int32_t give_up(ch_error* out_error) {
        ch_error stall;
        device_.aicpu->explain_stall(device_.aicpu_context, &stall);
        report(out_error, CH_DEADLINE_EXCEEDED, "device", "stopped on request; %s", stall.message);
        out_error->task = stall.task;
        out_error->core = stall.core;
        return out_error->code;
    }

    Device& device_;
    const ch_launch& launch_;
    ch_run_progress* const progress_;
    Crew crew_;
    std::vector<Thread> threads_;
    std::vector<CorePort> cores_;
    const uint64_t core_bytes_;
    char* core_contexts_ = nullptr;
    std::atomic<uint32_t> left_{0};  // AICPU threads that are not done
    bool cancelled_ = false;
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
    return Launch(*device, options).run(out_error);
}

}  // namespace chiphost::platform

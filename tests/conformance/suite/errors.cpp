// SPDX-License-Identifier: Apache-2.0
//
// Faults inside launches. Every test looks at the errors of functions that fail (succeed and fail_with).
#include <string.h>

#include "bench.h"
#include "status/report.h"

namespace chiphost::conformance {

namespace {

// A kernel that throws ends its dispatch, with the exception's text; the core goes on with the next.
void kernel_throws(const Bench& bench) {
    const OpenDevice device = bench.open();
    Plan plan{Work::dispatch, 6};
    plan.kernel = device.load(bench.file("throw"));
    const Launched launched = launch(device, plan);
    for (uint32_t core = 0; core < 3; ++core) {
        const CoreRecord& record = launched.script.cores[core];
        check(record.finished == plan.rounds, "core %u finished %u of %u dispatches", core, record.finished,
              plan.rounds);
        check(record.threw == plan.rounds / 2, "%u of %u calls threw, and the payloads of core %u say it of %u",
              plan.rounds / 2, plan.rounds, core, record.threw);
        check(strcmp(record.fault, "thrown by a kernel") == 0, "the exception's text is '%s'", record.fault);
    }
    device.unload(plan.kernel);
}

// Looks at the lanes of a launch from outside, as the reporter of a crash does.
struct Observer {
    ch_run_progress* progress;
    uint32_t over;  // atomic
    uint32_t seen;  // atomic: a lane that executes a task
    int64_t task;   // the task it named
    int32_t core;
    int32_t func_id;
};
int32_t observe(void* argument, const void*, void*) {
    auto& self = *static_cast<Observer*>(argument);
    while (!__atomic_load_n(&self.over, __ATOMIC_ACQUIRE)) {
        for (const auto& lane : self.progress->lanes) {
            const int64_t task = __atomic_load_n(&lane.task, __ATOMIC_ACQUIRE);
            const int32_t core = __atomic_load_n(&lane.core, __ATOMIC_RELAXED);
            const int32_t func_id = __atomic_load_n(&lane.func_id, __ATOMIC_RELAXED);
            if (task < 0 || __atomic_load_n(&lane.task, __ATOMIC_ACQUIRE) != task) continue;
            self.task = task;
            self.core = core;
            self.func_id = func_id;
            __atomic_store_n(&self.seen, 1, __ATOMIC_RELEASE);
            return CH_OK;
        }
    }
    return CH_OK;
}

// While a kernel runs, its task, core and func_id can be read from outside: a crash is the kernel's fault, and the
// report must say so.
void kernel_named(const Bench& bench) {
    constexpr uint64_t patience_ns = 10'000 * ms;
    const OpenDevice device = bench.open();
    ch_run_progress progress = no_progress();
    Plan plan{Work::dispatch, 200};
    plan.progress = &progress;
    plan.kernel = device.load(bench.file("record_1"));
    Observer observer{&progress, 0, 0, -1, -1, -1};
    {
        Bench::Meanwhile meanwhile(bench, observe, &observer);
        struct Over {
            Observer& observer;
            ~Over() { __atomic_store_n(&observer.over, 1, __ATOMIC_RELEASE); }
        } over{observer};  // before the wait for it
        const uint64_t begun_ns = ch_monotonic_ns();
        while (!__atomic_load_n(&observer.seen, __ATOMIC_ACQUIRE) && ch_monotonic_ns() - begun_ns < patience_ns) {
            launch(device, plan);
        }
    }
    check(observer.seen != 0, "no lane of the run's progress said which kernel runs");
    check(observer.task >= 1 && observer.task <= plan.rounds && observer.core >= 0 && observer.core < 3 &&
              observer.func_id == 0,
          "a lane said task %lld, core %d, func_id %d; wanted task 1 to %u, core 0 to 2, func_id 0",
          static_cast<long long>(observer.task), observer.core, observer.func_id, plan.rounds);
    for (const auto& lane : progress.lanes)
        check(lane.task == -1, "a lane says task %lld after the launch", static_cast<long long>(lane.task));
    device.unload(plan.kernel);
}

constexpr uint64_t limit_bytes = 512 << 10;

void run_well(const Bench& bench, const OpenDevice& device) {
    Plan plan{Work::dispatch};
    plan.kernel = device.load(bench.file("record_1"));
    plan.kernel.hands_over = false;  // the chip may not have enough memory for that
    check_dispatches(plan, launch(device, plan), 1);
    device.unload(plan.kernel);
}

// An error leaves no trace: a call that failed once works when its arguments are right.
void no_trace(const Bench& bench) {
    ch_device_options options = bench.options();
    options.device_memory_bytes = limit_bytes;
    const OpenDevice device(options);
    for (int round = 0; round < 20; ++round) {
        uint64_t address = 0;
        ch_error error = no_error();
        const int32_t code = platform::allocate(device.get(), 2 * limit_bytes, &address, &error);
        fail_with({CH_DEVICE_MEMORY_EXHAUSTED}, code, error, "allocate");
    }
    device.release(device.allocate(500 << 10));
    run_well(bench, device);
}

void no_trace_of_kernels(const Bench& bench) {
    ch_device_options options = bench.options();
    options.device_memory_bytes = limit_bytes;
    const OpenDevice device(options);
    const File bad = bench.file("no_entry");
    const uint64_t before = bench.libraries_in_use();
    for (int round = 0; round < 20; ++round) {
        LoadedKernel kernel;
        ch_error error = no_error();
        const int32_t code = platform::load_kernel(device.get(), {0, CH_AIV, bad.binary()}, &kernel, &error);
        fail_with({CH_ENTRY_MISSING}, code, error, "load_kernel");
    }
    const uint64_t after = bench.libraries_in_use();
    check(after == before, "20 kernels were refused, and %lld libraries more are in use than before",
          static_cast<long long>(after - before));
    device.release(device.allocate(500 << 10));
    run_well(bench, device);
}

}  // namespace

Cases error_cases() {
    return {
        {"errors.kernel_throws", "PLAT-22", kernel_throws},
        {"errors.kernel_named", "PLAT-51", kernel_named},
        {"errors.no_trace", "PLAT-50", no_trace},
        {"errors.no_trace_of_kernels", "PLAT-50", no_trace_of_kernels},
    };
}

}  // namespace chiphost::conformance

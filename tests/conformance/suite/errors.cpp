// SPDX-License-Identifier: Apache-2.0
//
// Faults inside launches. What functions say when they fail is looked at by every test (succeed and fail_with).
#include <string.h>

#include "abi/report.h"
#include "bench.h"

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

constexpr uint64_t limit_bytes = 512 << 10;

void run_well(const Bench& bench, const OpenDevice& device) {
    Plan plan{Work::dispatch};
    plan.kernel = device.load(bench.file("record_1"));
    plan.kernel.hands_over = false;  // the memory for that may be more than there is
    check_dispatches(plan, launch(device, plan), 1);
    device.unload(plan.kernel);
}

// An error leaves no trace: what failed once works when it is asked for rightly.
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
        {"errors.no_trace", "PLAT-50", no_trace},
        {"errors.no_trace_of_kernels", "PLAT-50", no_trace_of_kernels},
    };
}

}  // namespace chiphost::conformance

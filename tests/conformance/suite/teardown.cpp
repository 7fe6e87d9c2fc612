// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <unistd.h>

#include <algorithm>

#include "bench.h"

namespace chiphost::conformance {

namespace {

uint64_t resident_bytes() {
    unsigned long long pages = 0;
    FILE* file = fopen("/proc/self/statm", "r");
    if (file) {
        if (fscanf(file, "%*u %llu", &pages) != 1) pages = 0;
        fclose(file);
    }
    check(pages != 0, "/proc/self/statm cannot be read");
    return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

// Memory that was not released is freed with the device. If device memory is not this process's, more would be in use
// than the chip has.
void frees_memory(const Bench& bench) {
    const uint64_t bytes = std::min<uint64_t>(chip.memory_bytes / 2, 4 << 20);
    const uint64_t rounds = (256 << 20) / bytes;
    const uint64_t before = resident_bytes();
    bool is_here = false;
    for (uint64_t round = 0; round < rounds; ++round) {
        const OpenDevice device = bench.open();
        device.fill(device.allocate(bytes), bytes, 1);
        is_here = is_here || resident_bytes() > before + bytes / 8;
    }
    constexpr uint64_t parts = 8;  // of the chip's memory: others may use some of it
    for (uint64_t round = 0; !is_here && round < parts + 2; ++round) bench.open().allocate(chip.memory_bytes / parts);
    const uint64_t after = resident_bytes(), grown = after > before ? after - before : 0;
    check(grown < rounds * bytes / 2, "%llu devices were closed with %llu MB each, and the process has %llu MB more",
          static_cast<unsigned long long>(rounds), static_cast<unsigned long long>(bytes >> 20),
          static_cast<unsigned long long>(grown >> 20));
}

void use(const Bench& bench) {
    const OpenDevice device = bench.open();
    Plan plan{Work::dispatch, 2};
    plan.sim_threads = 2;
    plan.kernel = device.load(bench.file("record_1"));
    check_dispatches(plan, launch(device, plan), 1);
    device.unload(plan.kernel);
}

void gives_back(const Bench& bench) {
    use(bench);
    const ch_anchor_counts before = bench.counts();
    for (int round = 0; round < 20; ++round) use(bench);
    const ch_anchor_counts after = bench.counts();
    check(after.threads - after.threads_free == before.threads - before.threads_free,
          "20 devices were opened and closed, and %lld threads more are lent",
          static_cast<long long>((after.threads - after.threads_free) - (before.threads - before.threads_free)));
    check(
        after.libraries - after.libraries_idle == before.libraries - before.libraries_idle,
        "20 devices were opened and closed, and %lld libraries more are in use",
        static_cast<long long>((after.libraries - after.libraries_idle) - (before.libraries - before.libraries_idle)));
}

// The device is closed after a launch that was cut off, with memory that nobody released.
void after_cut_off(const Bench& bench) {
    for (const Work work : {Work::never_end, Work::never_end_in_strand, Work::sleep_for_ever}) {
        OpenDevice device = bench.open();
        device.allocate(1000);
        ch_run_progress progress = no_progress();
        progress.cancel = 1;
        Plan plan{work};
        plan.progress = &progress;
        const int32_t code = try_launch(device, plan).code;
        check(code != CH_OK, "a launch without an end succeeded");
        device.close();
    }
    use(bench);
}

}  // namespace

Cases teardown_cases() {
    return {
        {"teardown.frees_memory", "PLAT-60", frees_memory},
        {"teardown.gives_back", "PLAT-61", gives_back},
        {"teardown.after_cut_off", "PLAT-62", after_cut_off},
    };
}

}  // namespace chiphost::conformance

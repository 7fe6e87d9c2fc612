// SPDX-License-Identifier: Apache-2.0
//
// Launches that do not end by themselves.
#include <string.h>

#include "bench.h"
#include "status/report.h"

namespace chiphost::conformance {

namespace {

// Cuts a launch off in the middle of its strand.
Launched cut_off_in_strand(const Bench& bench, const OpenDevice& device, const Plan& plan) {
    return cut_off_where(
        bench, device, plan, [](const Script& script) { return script.strand_stack != 0; }, "its strand");
}

void run_well(const Bench& bench, const OpenDevice& device) {
    Plan plan{Work::dispatch, 3};
    plan.block_dim = chip.clusters;
    plan.kernel = device.load(bench.file("record_1"));
    check_dispatches(plan, launch(device, plan), 1);
    device.unload(plan.kernel);
}

void cancelled_before(const Bench& bench) {
    const OpenDevice device = bench.open();
    for (uint32_t sim_threads : {1, 2}) {
        ch_run_progress progress = no_progress();
        progress.cancel = 1;
        Plan plan{Work::never_end};
        plan.sim_threads = sim_threads;
        plan.progress = &progress;
        for (int attempt = 1;; ++attempt) {
            const uint64_t begun_ns = ch_monotonic_ns();
            const Launched launched = try_launch(device, plan);
            const uint64_t took_ns = ch_monotonic_ns() - begun_ns;
            fail_with({CH_DEADLINE_EXCEEDED}, launched.code, launched.error, "a launch that was cancelled before");
            if (took_ns < end_ns_max) break;
            check(attempt < end_attempts_max, "a launch that was cancelled before took %llu ms; wanted at most %llu",
                  static_cast<unsigned long long>(took_ns / ms), static_cast<unsigned long long>(end_ns_max / ms));
        }
    }
}

void cancelled(const Bench& bench) {
    const OpenDevice device = bench.open();
    for (uint32_t sim_threads : {1, 2}) {
        Plan plan{Work::never_end};
        plan.block_dim = chip.clusters;
        plan.aicpu_threads = chip.aicpu_threads;
        plan.sim_threads = sim_threads;
        cut_off(bench, device, plan, {CH_DEADLINE_EXCEEDED});
    }
}

// The AICPU program makes its strand return, so that nothing of the launch is left on its stack: it must be able to.
void cancelled_in_strand(const Bench& bench) {
    const OpenDevice device = bench.open();
    const Launched launched = cut_off_in_strand(bench, device, {Work::never_end_in_strand});
    check(launched.script.strand_ended, "the strand of a launch that was cut off never returned");
    check(launched.script.ended == 1, "the AICPU program's end was called %u times", launched.script.ended);
}

// A strand that the program does not bring to its end is lost with its stack: nobody goes on in it, and nobody else
// gets the stack. A strand that cannot pause ends with the launch.
void strand_abandoned(const Bench& bench) {
    const OpenDevice device = bench.open();
    for (uint32_t sim_threads : {1, 2}) {
        Plan plan{Work::abandon_strand};
        plan.sim_threads = sim_threads;
        const Launched launched = cut_off_in_strand(bench, device, plan);
        Plan next{Work::strand, 9};
        next.sim_threads = sim_threads;
        if (!launched.script.strand_ended) next.abandoned_stack = launched.script.strand_stack;
        const Script script = launch(device, next).script;
        check(script.strand_ended && !script.strand_bad,
              "after a launch whose strand was abandoned, the strand of the next one %s",
              script.strand_ended ? "runs on the same stack" : "did not get to its end");
    }
}

// No thread will ever go on. A platform that can tell says so by itself, others when they are asked to stop.
void stalled(const Bench& bench) {
    const OpenDevice device = bench.open();
    for (uint32_t sim_threads : {1, 2}) {
        Plan plan{Work::sleep_for_ever};
        plan.sim_threads = sim_threads;
        const Launched launched = cut_off(bench, device, plan, {CH_STALLED, CH_DEADLINE_EXCEEDED});
        check(launched.code != CH_STALLED || strstr(launched.error.message, stall_message),
              "the error does not have what explain_stall says: %s", launched.error.message);
    }
}

void usable_afterwards(const Bench& bench) {
    const OpenDevice device = bench.open();
    run_well(bench, device);
    for (const Work work : {Work::never_end, Work::never_end_in_strand, Work::sleep_for_ever}) {
        cut_off(bench, device, {work}, {CH_DEADLINE_EXCEEDED, CH_STALLED});
        run_well(bench, device);
    }
}

// The platform knows if there will be a launch before anything is made ready for it, and asking changes nothing.
void check_launch_before(const Bench& bench) {
    constexpr uint64_t memory_bytes = 1 << 20;
    ch_device_options options = bench.options();
    options.device_memory_bytes = memory_bytes;
    const OpenDevice device(options);
    const auto ask = [&] {
        const uint64_t libraries = bench.libraries_in_use();
        for (uint32_t threads = 1; threads <= chip.aicpu_threads; ++threads) {
            Plan plan;
            plan.block_dim = chip.clusters;
            plan.aicpu_threads = threads;
            check_launch(device, plan);
        }
        device.release(device.allocate(memory_bytes));
        check(bench.libraries_in_use() == libraries, "check_launch keeps libraries");
    };
    ask();
    launch(device, {});
    ask();
    launch(device, {Work::report_status});
    ask();
    cut_off(bench, device, {Work::never_end}, {CH_DEADLINE_EXCEEDED, CH_STALLED});
    ask();
    launch(device, {});
}

}  // namespace

Cases time_cases() {
    return {
        {"time.cancelled_before", "PLAT-45", cancelled_before},
        {"time.cancelled", "PLAT-45", cancelled},
        {"time.stalled", "PLAT-46", stalled},
        {"time.cancelled_in_strand", "PLAT-47", cancelled_in_strand},
        {"time.strand_abandoned", "PLAT-47", strand_abandoned},
        {"time.usable_afterwards", "PLAT-48", usable_afterwards},
        {"time.check_launch", "PLAT-49", check_launch_before},
    };
}

}  // namespace chiphost::conformance

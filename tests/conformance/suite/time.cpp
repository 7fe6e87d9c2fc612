// SPDX-License-Identifier: Apache-2.0
//
// Launches that do not end by themselves.
#include <string.h>
#include <time.h>

#include "abi/report.h"
#include "bench.h"

namespace chiphost::conformance {

namespace {

constexpr uint64_t ms = 1'000'000;
constexpr uint64_t end_ns_max = 500 * ms;  // what a worker waits after a cancel before it gives the device up

// Sets the flag after a while. When exactly does not matter: it is legal before, during and after a launch.
struct Canceller {
    ch_run_progress* progress;
    uint64_t after_ns;
    uint64_t cancelled_at_ns;
};
int32_t cancel_later(void* argument, const void*, void*) {
    auto& self = *static_cast<Canceller*>(argument);
    const timespec pause{0, static_cast<long>(self.after_ns)};
    nanosleep(&pause, nullptr);
    self.cancelled_at_ns = ch_monotonic_ns();
    __atomic_store_n(&self.progress->cancel, 1, __ATOMIC_RELEASE);
    return CH_OK;
}

// Launches something without an end and cancels it: it must end soon, and say so.
Launched cut_off(const Bench& bench, const OpenDevice& device, Plan plan, std::initializer_list<ch_code> wanted,
                 uint64_t after_ns = 5 * ms) {
    ch_run_progress progress = no_progress();
    plan.progress = &progress;
    Canceller canceller{&progress, after_ns, 0};
    Bench::Meanwhile meanwhile(bench, cancel_later, &canceller);
    Launched launched = try_launch(device, plan);
    const uint64_t ended = ch_monotonic_ns();
    meanwhile.wait();
    fail_with(wanted, launched.code, launched.error, "a launch that was cancelled");
    const int64_t late = static_cast<int64_t>(ended - canceller.cancelled_at_ns);
    check(late < static_cast<int64_t>(end_ns_max), "a launch ended %lld ms after the cancel; wanted at most %llu",
          static_cast<long long>(late) / static_cast<long long>(ms), static_cast<unsigned long long>(end_ns_max / ms));
    return launched;
}

// The same, in the middle of its strand: on a busy machine a launch may need some time to get there.
Launched cut_off_in_strand(const Bench& bench, const OpenDevice& device, const Plan& plan) {
    for (uint64_t after_ns = 5 * ms; after_ns < 1000 * ms; after_ns *= 2) {
        Launched launched = cut_off(bench, device, plan, {CH_DEADLINE_EXCEEDED}, after_ns);
        if (launched.script.strand_stack != 0) return launched;
    }
    throw Failed{"a launch has not begun its strand within a second"};
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
        const Launched launched = try_launch(device, plan);
        fail_with({CH_DEADLINE_EXCEEDED}, launched.code, launched.error, "a launch that was cancelled before");
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
// gets the stack. Where strands don't pause it ends with the launch.
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

// Nobody will ever go on. A platform that can tell says so by itself, others when they are asked to stop.
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

}  // namespace

Cases time_cases() {
    return {
        {"time.cancelled_before", "PLAT-45", cancelled_before},
        {"time.cancelled", "PLAT-45", cancelled},
        {"time.stalled", "PLAT-46", stalled},
        {"time.cancelled_in_strand", "PLAT-47", cancelled_in_strand},
        {"time.strand_abandoned", "PLAT-47", strand_abandoned},
        {"time.usable_afterwards", "PLAT-48", usable_afterwards},
    };
}

}  // namespace chiphost::conformance

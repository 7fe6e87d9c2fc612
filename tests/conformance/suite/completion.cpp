// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "bench.h"

namespace chiphost::conformance {

namespace {

// Threads end one after the other: launch must wait for the last (bench.cpp looks).
void all_threads_done(const Bench& bench) {
    const OpenDevice device = bench.open();
    for (uint32_t sim_threads : {1, 2}) {
        Plan plan;
        plan.aicpu_threads = chip.aicpu_threads;
        plan.sim_threads = sim_threads;
        launch(device, plan);
    }
}

// The last words that cores wrote are there when launch has returned.
void results(const Bench& bench) {
    const OpenDevice device = bench.open();
    Plan plan{Work::dispatch};
    plan.block_dim = chip.clusters;
    plan.kernel = device.load(bench.file("record_1"));
    for (plan.rounds = 1; plan.rounds <= 4; ++plan.rounds) check_dispatches(plan, launch(device, plan), 1);
}

// A fault that the AICPU program reports is no failure of the launch.
void status(const Bench& bench) {
    const OpenDevice device = bench.open();
    const Launched launched = launch(device, {Work::report_status});
    const ch_launch_status& status = launched.status;
    const ch_error& error = status.error;
    check(error.code == fault_code && status.complete == 1 && error.task == 17 &&
              strcmp(error.message, fault_message) == 0,
          "the status is code %d, complete %d, task %lld, '%.100s'", error.code, status.complete,
          static_cast<long long>(error.task), error.message);
    const ch_error clean = launch(device, {}).status.error;
    check(clean.code == CH_OK && clean.task == -1,
          "the next launch, without a fault, has a status of code %d, task %lld", clean.code,
          static_cast<long long>(clean.task));
}

// begin and end of the AICPU program are called once for each launch, also for a launch that is cut off.
void begin_and_end(const Bench& bench) {
    const OpenDevice device = bench.open();
    for (int round = 0; round < 3; ++round) launch(device, {});
    // A launch that was cut off before it began may have neither call.
    const auto begun = [](const Script& script) { return script.begun != 0; };
    const Script script = cut_off_where(bench, device, {Work::never_end}, begun, "its begin").script;
    check(script.begun == 1 && script.ended == 1,
          "in a launch that was cut off begin was called %u times and end %u times", script.begun, script.ended);
}

}  // namespace

Cases completion_cases() {
    return {
        {"completion.all_threads_done", "PLAT-32", all_threads_done},
        {"completion.results", "PLAT-33", results},
        {"completion.status", "PLAT-34", status},
        {"completion.begin_and_end", "PLAT-35", begin_and_end},
    };
}

}  // namespace chiphost::conformance

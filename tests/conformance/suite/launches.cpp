// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <time.h>
#include <algorithm>

#include "bench.h"

namespace chiphost::conformance {

namespace {

constexpr uint64_t seeds = 20;

void core_types(const Bench& bench) {
    const OpenDevice device = bench.open();
    for (uint32_t block_dim : {uint32_t{1}, chip.clusters}) {
        Plan plan{Work::dispatch};
        plan.block_dim = block_dim;
        plan.kernel = device.load(bench.file("record_1"));
        const Launched launched = launch(device, plan);
        check_dispatches(plan, launched, 1);
        for (uint32_t core = 0; core < block_dim * 3; ++core) {
            const uint32_t wanted = core < block_dim ? CH_AIC : CH_AIV;
            check(launched.script.cores[core].type == wanted, "with block_dim %u core %u is of type %u; wanted %u",
                  block_dim, core, launched.script.cores[core].type, wanted);
        }
        device.unload(plan.kernel);
    }
}

void aicpu_threads(const Bench& bench) {
    const OpenDevice device = bench.open();
    for (uint32_t threads = 1; threads <= chip.aicpu_threads; ++threads) {
        Plan plan{Work::dispatch, 2};
        plan.block_dim = chip.clusters < threads ? chip.clusters : threads;
        plan.aicpu_threads = threads;
        plan.kernel = device.load(bench.file("record_1"));
        const Launched launched = launch(device, plan);
        check(!launched.script.ports_shared, "two of %u AICPU threads got the same port", threads);
        check_dispatches(plan, launched, 1);
        device.unload(plan.kernel);
    }
}

void again(const Bench& bench) {
    const OpenDevice device = bench.open();
    Plan plan{Work::dispatch, 3};
    plan.kernel = device.load(bench.file("record_1"));
    for (uint32_t block_dim : {chip.clusters, 1u, chip.clusters, 1u}) {
        plan.block_dim = block_dim;
        for (int round = 0; round < 5; ++round) check_dispatches(plan, launch(device, plan), 1);
    }
}

void host_threads(const Bench& bench) {
    const OpenDevice device = bench.open();
    for (uint32_t sim_threads : {1, 2, 3, 1}) {
        Plan plan{Work::dispatch_ahead, 20};
        plan.block_dim = chip.clusters < 4 ? chip.clusters : 4;
        plan.aicpu_threads = chip.aicpu_threads < 2 ? 1 : 2;
        plan.sim_threads = sim_threads;
        plan.kernel = device.load(bench.file("record_1"));
        check_dispatches(plan, launch(device, plan), 1);
        device.unload(plan.kernel);
    }
}

void any_seed(const Bench& bench) {
    const OpenDevice device = bench.open();
    Plan plan{Work::dispatch_ahead, 10};
    plan.block_dim = chip.clusters < 3 ? chip.clusters : 3;
    plan.aicpu_threads = chip.aicpu_threads < 2 ? 1 : 2;
    plan.kernel = device.load(bench.file("record_1"));
    for (plan.seed = 1; plan.seed <= seeds; ++plan.seed) check_dispatches(plan, launch(device, plan), 1);
}

// On a platform with a trace, the same seed gives the same trace.
void same_trace(const Bench& bench) {
    const OpenDevice device = bench.open();
    Plan plan{Work::dispatch, 4};
    plan.kernel = device.load(bench.file("record_1"));
    for (plan.seed = 0; plan.seed < 4; ++plan.seed) {
        std::vector<ch_trace_event> first, second;
        plan.trace = &first;
        launch(device, plan);
        plan.trace = &second;
        launch(device, plan);
        check(first.size() == second.size() &&
                  (first.empty() || memcmp(first.data(), second.data(), first.size() * sizeof first[0]) == 0),
              "two launches with seed %llu have different traces", static_cast<unsigned long long>(plan.seed));
    }
}

void strand(const Bench& bench) {
    const OpenDevice device = bench.open();
    for (uint32_t sim_threads : {1, 2}) {
        Plan plan{Work::strand, 9};
        plan.sim_threads = sim_threads;
        const Launched launched = launch(device, plan);
        const Script& script = launched.script;
        check(script.strand_ended && !script.strand_bad, "the strand %s",
              script.strand_ended ? "did not find its stack as it left it" : "did not get to its end");
        check(script.pauses == 0 || script.pauses == plan.rounds, "the strand paused %u of %u times", script.pauses,
              plan.rounds);
        check(script.resumes == script.pauses + 1, "the strand paused %u times and was resumed %u times", script.pauses,
              script.resumes);
    }
}

void signal(const Bench& bench) {
    if (chip.aicpu_threads < 2) return;  // nobody to signal to
    const OpenDevice device = bench.open();
    for (uint32_t sim_threads : {1, 2}) {
        Plan plan{Work::signal};
        plan.aicpu_threads = chip.aicpu_threads;
        plan.block_dim = chip.clusters < 2 ? 1 : 2;
        plan.sim_threads = sim_threads;
        const Script script = launch(device, plan).script;
        check(script.word == 2, "the launch ended without the signal");
        for (uint32_t thread = 0; thread < plan.aicpu_threads; ++thread) {
            check(thread == 1 || script.threads[thread].signalled == 1, "thread %u slept on when thread 1 signalled",
                  thread);
        }
    }
}

// Memory beside a block whose content counts for nothing does count.
void forget_content(const Bench& bench) {
    constexpr unsigned char kept = 0x5A;
    constexpr uint64_t margin = 64;
    const OpenDevice device = bench.open();
    for (uint64_t bytes : {1, 63, 64, 1000}) {
        const uint64_t whole = bytes + 2 * margin, address = device.allocate(whole);
        device.fill(address, whole, kept);
        Plan plan{Work::forget};
        plan.memory = address + margin;
        plan.memory_bytes = bytes;
        launch(device, plan);
        const std::vector<unsigned char> content = device.read(address, whole);
        for (uint64_t i = 0; i < whole; ++i) {
            const bool inside = i >= margin && i < margin + bytes;
            check(inside || content[i] == kept, "forget_content of %llu bytes changed the byte at %lld",
                  static_cast<unsigned long long>(bytes), static_cast<long long>(i - margin));
        }
        device.release(address);
    }
}

// Kernels on the three cores of a cluster that wait for each other.
void hand_over(const Bench& bench) {
    const OpenDevice device = bench.open();
    Plan plan{Work::dispatch, 4};
    plan.kernel = device.load(bench.file("hand_over"));
    for (uint32_t sim_threads : {1, 2}) {
        plan.sim_threads = sim_threads;
        const Launched launched = launch(device, plan);
        const uint64_t aiv0 = 6 * (1 + 2 + 3 + 4), aiv1 = aiv0 + 3 * plan.rounds;
        const uint64_t wanted[] = {aiv0 + aiv1, aiv0, aiv1};
        for (int core = 0; core < 3; ++core) {
            check(launched.kernels[core].answer == wanted[core], "core %d got %llu from the others; wanted %llu", core,
                  static_cast<unsigned long long>(launched.kernels[core].answer),
                  static_cast<unsigned long long>(wanted[core]));
        }
    }
    device.unload(plan.kernel);
}

// While a launch is under way, some of whose threads are at work, all of them in this process belong to the anchor. A
// platform that makes its launches elsewhere has none here.
void lent_threads(const Bench& bench) {
    struct Look {
        const ch_device_options& options;
        ch_run_progress progress;
        uint64_t after_ns;
        uint64_t last_began_ns;
    };
    const auto look = [](void* argument, const void*, void*) -> int32_t {
        auto& self = *static_cast<Look*>(argument);
        const timespec pause{static_cast<time_t>(self.after_ns / (1000 * ms)),
                             static_cast<long>(self.after_ns % (1000 * ms))};
        nanosleep(&pause, nullptr);
        self.options.anchor->last_foreign_thread(self.options.anchor_state, nullptr, &self.last_began_ns);
        __atomic_store_n(&self.progress.cancel, 1, __ATOMIC_RELEASE);
        return CH_OK;
    };
    const auto launched_while_looking = [&](const OpenDevice& device, Plan plan, uint64_t after_ns) {
        Look it{bench.options(), no_progress(), after_ns, 0};
        plan.progress = &it.progress;
        Bench::Meanwhile meanwhile(bench, look, &it);
        const Launched launched = try_launch(device, plan);
        meanwhile.wait();
        fail_with({CH_DEADLINE_EXCEEDED}, launched.code, launched.error, "a launch that was cancelled");
        check(it.last_began_ns == 0,
              "with sim_threads %u the platform has made a thread; threads are the anchor's to lend", plan.sim_threads);
        return launched.script.threads[plan.aicpu_threads - 1].begun != 0;
    };
    const OpenDevice device = bench.open();
    for (uint32_t sim_threads : {1, 2}) {
        Plan plan{Work::never_end};
        plan.block_dim = chip.clusters;
        plan.aicpu_threads = chip.aicpu_threads;
        plan.sim_threads = sim_threads;
        uint64_t after_ns = 5 * ms;  // on a busy machine a launch may need more to begin
        while (!launched_while_looking(device, plan, after_ns)) {
            check(after_ns < 1000 * ms, "within a second a launch has not begun");
            after_ns *= 2;
        }
        // The launch may have begun after the look, and before its end. A busy machine must not use up the test's time.
        launched_while_looking(device, plan, std::min(200 * ms + 10 * after_ns, 1500 * ms));
    }
}

}  // namespace

Cases launch_cases() {
    return {
        {"launch.core_types", "PLAT-25", core_types},
        {"launch.aicpu_threads", "PLAT-26", aicpu_threads},
        {"launch.again", "PLAT-27", again},
        {"launch.host_threads", "PLAT-28", host_threads},
        {"launch.any_seed", "PLAT-28", any_seed},
        {"launch.same_trace", "PLAT-29", same_trace},
        {"launch.signal", "PLAT-30", signal},
        {"launch.strand", "PLAT-31", strand},
        {"launch.hand_over", "PLAT-23", hand_over},
        {"launch.forget_content", "PLAT-24", forget_content},
        {"launch.lent_threads", "PLAT-52", lent_threads},
    };
}

}  // namespace chiphost::conformance

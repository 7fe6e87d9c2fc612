// SPDX-License-Identifier: Apache-2.0
//
// Several devices in one process.
#include <time.h>

#include <algorithm>

#include "bench.h"
#include "status/report.h"

namespace chiphost::conformance {

namespace {

constexpr uint64_t bytes = 3000;

void check_filled(const OpenDevice& device, uint64_t address, unsigned char with, const char* which) {
    const std::vector<unsigned char> content = device.read(address, bytes);
    check(std::count(content.begin(), content.end(), with) == static_cast<long>(bytes),
          "memory of the %s device has what the other one wrote", which);
}

void memory_apart(const Bench& bench) {
    const OpenDevice first = bench.open(), second = bench.open();
    for (int round = 0; round < 4; ++round) {
        const uint64_t here = first.allocate(bytes), there = second.allocate(bytes);
        first.fill(here, bytes, 1);
        second.fill(there, bytes, 2);
        check_filled(first, here, 1, "first");
        check_filled(second, there, 2, "second");
    }
}

void in_turn(const Bench& bench) {
    OpenDevice devices[] = {bench.open(), bench.open(), bench.open()};
    Plan plans[] = {{Work::dispatch, 2}, {Work::dispatch, 3}, {Work::dispatch_ahead, 4}};
    for (int i = 0; i < 3; ++i) plans[i].kernel = devices[i].load(bench.file(i == 1 ? "record_2" : "record_1"));
    for (int round = 0; round < 3; ++round) {
        for (const int i : {0, 1, 2, 1}) check_dispatches(plans[i], launch(devices[i], plans[i]), i == 1 ? 2 : 1);
    }
}

// Launches on two devices at the same time, each on a thread of its own.
struct Other {
    const Bench& bench;
    std::string failure;
    bool unsupported = false;
};
void launch_often(const Bench& bench) {
    const OpenDevice device = bench.open();
    Plan plan{Work::dispatch_ahead, 10};
    plan.kernel = device.load(bench.file("record_1"));
    for (int round = 0; round < 50; ++round) check_dispatches(plan, launch(device, plan), 1);
    device.unload(plan.kernel);
}
int32_t launch_meanwhile(void* argument, const void*, void*) {
    auto& other = *static_cast<Other*>(argument);
    try {
        launch_often(other.bench);
    } catch (const Failed& failed) {
        other.failure = failed.message;
    } catch (const Unsupported& unsupported) {
        other.failure = unsupported.message;
        other.unsupported = true;
    }
    return CH_OK;
}
void at_the_same_time(const Bench& bench) {
    Other other{bench, ""};
    {
        const Bench::Meanwhile meanwhile(bench, launch_meanwhile, &other);
        launch_often(bench);
    }
    if (other.unsupported) throw Unsupported{other.failure};
    check(other.failure.empty(), "on the other thread: %s", other.failure.c_str());
}

void pause(long ms) {
    const timespec time{0, ms * 1'000'000};
    nanosleep(&time, nullptr);
}

// A launch that is cut off while another device's is under way. A chip may have made it wait for its cores until then:
// they come to a launch that is over. Any order is legal; the pauses make that one likely.
void cut_off_meanwhile(const Bench& bench) {
    const OpenDevice first = bench.open(), second = bench.open();
    struct Endless {
        const OpenDevice& device;
        ch_run_progress progress = no_progress();
        Launched launched{};
    } endless{first};
    const auto run = [](void* argument, const void*, void*) -> int32_t {
        auto& self = *static_cast<Endless*>(argument);
        Plan plan{Work::never_end};
        plan.block_dim = chip.clusters;
        plan.progress = &self.progress;
        try {
            self.launched = try_launch(self.device, plan);
        } catch (const Unsupported&) {
            self.launched.code = CH_UNIMPLEMENTED;
        } catch (const Failed& failed) {
            self.launched.code = report(&self.launched.error, CH_INTERNAL, "launch", "%s", failed.message.c_str());
        }
        return CH_OK;
    };
    const auto end = [](void* argument, const void*, void*) -> int32_t {
        pause(300);
        __atomic_store_n(&static_cast<ch_run_progress*>(argument)->cancel, 1, __ATOMIC_RELEASE);
        return CH_OK;
    };
    {
        const Bench::Meanwhile other(bench, run, &endless), ender(bench, end, &endless.progress);
        pause(30);
        ch_run_progress progress = no_progress();
        progress.cancel = 1;
        Plan plan{Work::never_end};
        plan.block_dim = chip.clusters;
        plan.progress = &progress;
        const Launched launched = try_launch(second, plan);
        fail_with({CH_DEADLINE_EXCEEDED}, launched.code, launched.error, "a launch that was cancelled");
    }
    if (endless.launched.code == CH_UNIMPLEMENTED) throw Unsupported{"launch is not there"};
    fail_with({CH_DEADLINE_EXCEEDED}, endless.launched.code, endless.launched.error, "the other device's launch");
    for (const OpenDevice* device : {&first, &second}) {
        Plan plan{Work::dispatch, 2};
        plan.block_dim = chip.clusters;
        plan.kernel = device->load(bench.file("record_1"));
        check_dispatches(plan, launch(*device, plan), 1);
        device->unload(plan.kernel);
    }
}

void close_one(const Bench& bench) {
    const OpenDevice kept = bench.open();
    const uint64_t address = kept.allocate(bytes);
    kept.fill(address, bytes, 3);
    Plan plan{Work::dispatch, 2};
    plan.kernel = kept.load(bench.file("record_1"));
    for (int round = 0; round < 3; ++round) {
        OpenDevice other = bench.open();
        other.fill(other.allocate(bytes), bytes, 4);
        other.close();
        check_filled(kept, address, 3, "first");
        check_dispatches(plan, launch(kept, plan), 1);
    }
}

}  // namespace

Cases context_cases() {
    return {
        {"contexts.memory_apart", "PLAT-55", memory_apart},
        {"contexts.in_turn", "PLAT-56", in_turn},
        {"contexts.at_the_same_time", "PLAT-56", at_the_same_time},
        {"contexts.cut_off_meanwhile", "PLAT-58", cut_off_meanwhile},
        {"contexts.close_one", "PLAT-57", close_one},
    };
}

}  // namespace chiphost::conformance

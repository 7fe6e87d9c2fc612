// SPDX-License-Identifier: Apache-2.0
//
// Several devices in one process.
#include <algorithm>

#include "bench.h"

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
        {"contexts.close_one", "PLAT-57", close_one},
    };
}

}  // namespace chiphost::conformance

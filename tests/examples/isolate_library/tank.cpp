// SPDX-License-Identifier: Apache-2.0
// [library]
// An ordinary simulator: everything is global, so there can be only one in a process.
#include <cstddef>
#include <stdexcept>

static double level = 0.0;  // litres
static double leak = 0.0;   // share that is lost in a step
static long steps = 0;

extern "C" void tank_init(double litres, double leak_per_step) {
    level = litres;
    leak = leak_per_step;
    steps = 0;
}

// Takes one inflow for each step, writes the level after each.
extern "C" long tank_run(const double* inflow, double* out_level, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        if (inflow[i] < 0) throw std::invalid_argument("an inflow is negative");
        level = (level + inflow[i]) * (1.0 - leak);
        out_level[i] = level;
        ++steps;
    }
    return steps;
}

struct tank_plan {
    const double* inflow;
    std::size_t count;
};

// Returns the level after all inflows of a plan.
extern "C" double tank_run_plan(const tank_plan* plan) {
    double last = level;
    for (std::size_t i = 0; i < plan->count; ++i) tank_run(plan->inflow + i, &last, 1);
    return last;
}

extern "C" const char* tank_version() {
    return "tank 1.0";
}
// [library]

// SPDX-License-Identifier: Apache-2.0
//
// Registers and dispatch, by way of launches: on a chip nobody else can see them.
#include "bench.h"

namespace chiphost::conformance {

namespace {

Launched run(const Bench& bench, Plan plan) {
    const OpenDevice device = bench.open();
    plan.kernel = device.load(bench.file("record_1"));
    const Launched launched = launch(device, plan);
    check_dispatches(plan, launched, 1);
    return launched;
}

void physical_cores(const Bench& bench) {
    Plan plan;
    plan.block_dim = chip.clusters;
    const Launched launched = try_launch(bench.open(), plan);  // if this is wrong it may not end well
    for (uint32_t core = 0; core < plan.block_dim * 3; ++core) {
        const uint32_t physical = launched.script.cores[core].physical;
        check(physical < chip.physical_cores, "core %u says that it is physical core %u; wanted less than %u", core,
              physical, chip.physical_cores);
        for (uint32_t other = 0; other < core; ++other) {
            check(launched.script.cores[other].physical != physical,
                  "cores %u and %u both say that they are physical core %u", other, core, physical);
        }
    }
    succeed(launched.code, launched.error, "launch");
}

void dispatch(const Bench& bench) {
    run(bench, {Work::dispatch, 20});
}

// A core is given its next dispatch while it runs one.
void dispatch_ahead(const Bench& bench) {
    run(bench, {Work::dispatch_ahead, 20});
}

// All cores of the chip, with all AICPU threads.
void all_cores(const Bench& bench) {
    Plan plan{Work::dispatch_ahead, 6};
    plan.block_dim = chip.clusters;
    plan.aicpu_threads = chip.aicpu_threads;
    run(bench, plan);
}

// Two values written one after the other: the core must not be left with the first.
void last_write_stays(const Bench& bench) {
    run(bench, {Work::overwrite, 10});
}

// The context that the executor hands to kernels: the caller, and the core.
void context(const Bench& bench) {
    Plan plan{Work::dispatch, 2};
    plan.block_dim = chip.clusters < 3 ? chip.clusters : 3;
    const Launched launched = run(bench, plan);
    for (uint32_t core = 0; core < plan.block_dim * 3; ++core) {
        const KernelRecord& kernel = launched.kernels[core];
        const bool aiv = core >= plan.block_dim;
        check(kernel.core == static_cast<int32_t>(core) && kernel.core_type == (aiv ? CH_AIV : CH_AIC) &&
                  kernel.sub_block_id == (aiv ? static_cast<int>((core - plan.block_dim) % 2) : 0) &&
                  kernel.block_idx == 2 && kernel.block_num == 2,
              "the kernel on core %u was told core %d, type %d, sub-block %d, block %d of %d", core, kernel.core,
              kernel.core_type, kernel.sub_block_id, kernel.block_idx, kernel.block_num);
    }
}

}  // namespace

Cases register_cases() {
    return {
        {"registers.physical_cores", "PLAT-17", physical_cores},
        {"registers.dispatch", "PLAT-18 PLAT-19 PLAT-20", dispatch},
        {"registers.dispatch_ahead", "PLAT-19 PLAT-20", dispatch_ahead},
        {"registers.last_write_stays", "PLAT-18", last_write_stays},
        {"registers.all_cores", "PLAT-18 PLAT-19", all_cores},
        {"registers.context", "PLAT-21", context},
    };
}

}  // namespace chiphost::conformance

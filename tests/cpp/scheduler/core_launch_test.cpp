// SPDX-License-Identifier: Apache-2.0
//
// The beginning and the end of a launch: the scheduler meets the cores, and lets them go.
#include <string.h>

#include "played_chip.h"

namespace chiphost::scheduler {

TEST(Scheduler, RefusesACoreOfTheWrongType) {
    for (const uint32_t wrong : {0u, 1u}) {
        GraphBuilder graph;
        add_tasks(graph, 1);
        PlayedChip chip(graph, 1);
        chip.begin();
        chip.step();
        for (uint32_t core = 0; core < chip.cores; ++core) {
            chip.report_core(core, core == wrong ? 1 - chip.type_of(core) : chip.type_of(core), core + 2);
        }
        chip.step();
        EXPECT_EQ(chip.status.error.code, CH_CORE_HANDSHAKE_FAILED);
        EXPECT_EQ(chip.status.error.core, static_cast<int32_t>(wrong));
        EXPECT_NE(strstr(chip.status.error.message,
                         wrong == 0 ? "of type 0, the core says 2 of type 1" : "of type 1, the core says 3 of type 0"),
                  nullptr)
            << chip.status.error.message;
        EXPECT_EQ(chip.handshakes[wrong].aicpu_regs_ready.load(), launch_over) << "it is told to go";
        EXPECT_EQ(chip.at(wrong, Register::data_main_base), 0u) << "its registers are not touched";
    }
}

TEST(Scheduler, RefusesANumberThatNoCoreHas) {
    for (const uint32_t beyond : {0u, 1u}) {
        GraphBuilder graph;
        PlayedChip chip(graph, 1);
        chip.begin();
        chip.step();
        for (uint32_t core = 0; core < chip.cores; ++core) {
            chip.report_core(core, chip.type_of(core),
                             core == 2 ? platform::chip.physical_cores - 1 + beyond : core + 2);
        }
        chip.step();
        EXPECT_EQ(chip.status.error.code, beyond ? CH_CORE_HANDSHAKE_FAILED : CH_OK);
    }
}

TEST(Scheduler, WaitsForEveryCoreToBeReady) {
    GraphBuilder graph;
    PlayedChip chip(graph, 1);
    chip.begin();
    chip.step();
    chip.report_core(0, CH_AIC, 2);
    chip.report_core(1, CH_AIV, 3);
    EXPECT_EQ(chip.step(), CH_STEP_POLL);
    EXPECT_EQ(chip.handshakes[0].aicpu_regs_ready.load(), 0u);
    chip.report_core(2, CH_AIV, 4);
    EXPECT_EQ(chip.step(), CH_STEP_WORKED);
    for (uint32_t core = 0; core < chip.cores; ++core) {
        EXPECT_EQ(chip.at(core, Register::fast_path), fast_path_open);
        EXPECT_EQ(chip.dispatched(core), main_base_idle);
        EXPECT_EQ(chip.step(), CH_STEP_POLL);
        chip.handshakes[core].aicore_done = core + 1;
    }
    EXPECT_EQ(chip.step(), CH_STEP_WORKED);
}

TEST(Scheduler, RefusesAGraphOfAnotherFormat) {
    for (const bool launch : {false, true}) {
        GraphBuilder graph;
        add_tasks(graph, 1);
        PlayedChip chip(graph, 1);
        if (launch) {
            ++chip.launch.format;
        } else {
            ++reinterpret_cast<graph::Image*>(chip.launch.graph)->format;
        }
        chip.shake_hands();
        chip.step();
        EXPECT_EQ(chip.status.error.code, CH_ABI_MISMATCH);
        for (uint32_t core = 0; core < chip.cores; ++core) EXPECT_EQ(chip.dispatched(core), main_base_idle);
    }
}

TEST(Scheduler, IsDoneWhenItsCoresHaveGone) {
    for (const bool backwards : {false, true}) {
        GraphBuilder graph;
        add_tasks(graph, 1);
        PlayedChip chip(graph, 1);
        chip.shake_hands();
        chip.step();
        chip.finish(1, 1);
        chip.step();
        chip.step();
        for (uint32_t i = 0; i < chip.cores; ++i) {
            const uint32_t core = backwards ? chip.cores - 1 - i : i;
            EXPECT_EQ(chip.dispatched(core), main_base_exit);
            EXPECT_EQ(chip.step(), CH_STEP_IDLE);
            EXPECT_EQ(chip.status.tasks_done, 0u) << "not before the last one";
            chip.at(core, Register::cond) = cond_exited;
        }
        EXPECT_EQ(chip.step(), CH_STEP_DONE);
        EXPECT_EQ(chip.status.tasks_done, 1u);
        for (uint32_t core = 0; core < chip.cores; ++core) {
            EXPECT_EQ(chip.dispatched(core), main_base_idle);
            EXPECT_EQ(chip.at(core, Register::fast_path), fast_path_close);
        }
    }
}

}  // namespace chiphost::scheduler

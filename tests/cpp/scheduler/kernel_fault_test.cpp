// SPDX-License-Identifier: Apache-2.0
//
// Kernels that threw and cores that have not finished, in the words of the scheduler.
#include <string.h>

#include <algorithm>
#include <string>
#include <utility>

#include "played_chip.h"

namespace chiphost::scheduler {

TEST(Scheduler, StartsNothingAfterAKernelThatThrew) {
    GraphBuilder graph;
    add_tasks(graph, 2, Shape::aiv, 6);
    graph.add_edge(0, 1);
    PlayedChip chip(graph, 1);
    chip.shake_hands();
    chip.step();
    Payload& payload = chip.payloads[2 * 1 + 1];
    EXPECT_EQ(payload.kernel, 1006u);
    EXPECT_EQ(payload.func_id, 6u);
    EXPECT_EQ(payload.args[1], 77u);
    payload.status = KernelStatus::threw;
    strcpy(payload.fault_text, "what it says");
    chip.finish(1, 1);
    chip.step();
    EXPECT_EQ(chip.status.error.code, CH_KERNEL_THREW);
    EXPECT_EQ(chip.status.error.task, 0);
    EXPECT_EQ(chip.status.error.core, 1);
    EXPECT_EQ(chip.status.error.func_id, 6);
    EXPECT_EQ(chip.status.submission, 0);
    EXPECT_NE(strstr(chip.status.error.message, "what it says"), nullptr) << chip.status.error.message;
    EXPECT_EQ(chip.dispatched(1), 1u);
    EXPECT_EQ(chip.dispatched(2), main_base_idle);
    chip.step();
    EXPECT_EQ(chip.dispatched(1), main_base_exit);
    EXPECT_EQ(chip.status.tasks_done, 0u);
}

// A payload is used for the third dispatch again: nothing of the first is in it.
TEST(Scheduler, ForgetsHowTheLastKernelEnded) {
    GraphBuilder graph;
    add_tasks(graph, 1);
    PlayedChip chip(graph, 1);
    for (Payload& payload : chip.payloads) payload.status = KernelStatus::threw;
    chip.shake_hands();
    chip.step();
    chip.finish(1, 1);
    chip.step();
    EXPECT_EQ(chip.status.error.code, CH_OK) << chip.status.error.message;
}

// There are as many cores as one error has room for.
TEST(Scheduler, NamesEveryCoreThatHasNotFinished) {
    GraphBuilder graph;
    add_tasks(graph, 32);
    PlayedChip chip(graph, 16);
    chip.shake_hands();
    chip.step();
    ch_error stall;
    chip.scheduler->explain_stall(&stall);
    EXPECT_EQ(stall.code, CH_STALLED);
    EXPECT_EQ(stall.core, 16);
    EXPECT_EQ(strncmp(stall.message, "0 of 32 tasks completed; core 16 has ", 37), 0) << stall.message;
    for (uint32_t core = 16; core < 48; ++core) {
        const std::string wanted =
            "; core " + std::to_string(core) + " has not finished kernel of func_id 1 of submit #";
        EXPECT_NE(strstr(stall.message, wanted.c_str()), nullptr) << core << " in " << stall.message;
    }
}

// A graph of thousands of tasks would fill the message with them.
TEST(Scheduler, NamesFourOfTheTasksThatWait) {
    const std::pair<uint32_t, bool> graphs[] = {{3, false}, {4, false}, {5, false}, {20, false}, {3, true}, {5, true}};
    for (const auto& [edges, in_a_row] : graphs) {
        GraphBuilder graph;
        add_tasks(graph, 1 + edges);
        for (uint32_t i = 1; i <= edges; ++i) graph.add_edge(in_a_row ? i - 1 : 0, i);
        PlayedChip chip(graph, 1);
        chip.shake_hands();
        chip.step();
        ch_error stall;
        chip.scheduler->explain_stall(&stall);
        uint32_t named = 0;
        const char* const chain = strstr(stall.message, "; who waits for whom: ");
        ASSERT_NE(chain, nullptr) << stall.message;
        const std::string end = " waits for submit #0 (kernel of func_id 1), which waits for core 1";
        EXPECT_TRUE(std::string_view(chain).substr(strlen(chain) - end.size()) == end) << stall.message;
        for (const char* at = stall.message; (at = strstr(at, " waits for submit #")) < chain; ++at) ++named;
        EXPECT_EQ(named, std::min(edges, 4u)) << stall.message;
        const std::string more = "; " + std::to_string(edges - named) + " more wait";
        EXPECT_EQ(strstr(stall.message, more.c_str()) != nullptr, edges > named) << stall.message;
        EXPECT_NE(strstr(stall.message, "; core 1 has not finished kernel of func_id 1 of submit #0;"), nullptr)
            << stall.message;
        EXPECT_EQ(stall.task, 0) << "it is the one that all others wait for";
    }
}

TEST(Scheduler, ReportsTheFirstOfTwoFaults) {
    GraphBuilder graph;
    add_tasks(graph, 2);
    PlayedChip chip(graph, 1);
    chip.shake_hands();
    chip.step();
    for (const uint32_t core : {1u, 2u}) {
        chip.payloads[2 * core + 1].status = KernelStatus::threw;
        chip.finish(core, 1);
    }
    chip.step();
    EXPECT_EQ(chip.status.error.code, CH_KERNEL_THREW);
    EXPECT_EQ(chip.status.error.core, 1);
}

}  // namespace chiphost::scheduler

// SPDX-License-Identifier: Apache-2.0
//
// The order in which the scheduler writes dispatches to cores, and what it takes from their answers.
#include "scheduler/scheduler.h"

#include "played_chip.h"

namespace chiphost::scheduler {

// A core that has not taken a dispatch would lose it: the next one is written over it.
TEST(Scheduler, WritesASecondDispatchOnlyWhenTheFirstWasTaken) {
    GraphBuilder graph;
    add_tasks(graph, 40);
    PlayedChip chip(graph, 1);
    chip.shake_hands();
    EXPECT_EQ(chip.dispatched(0), main_base_idle) << "there is nothing for the AIC";
    for (int i = 0; i < 5; ++i) {
        chip.step();
        ASSERT_EQ(chip.dispatched(1), 1u);
        ASSERT_EQ(chip.dispatched(2), 1u);
    }
    chip.take(2, 1);
    chip.step();
    EXPECT_EQ(chip.dispatched(1), 1u);
    EXPECT_EQ(chip.dispatched(2), 2u);
    EXPECT_NE(chip.payload(2, 1).context.task, chip.payload(2, 2).context.task);
    EXPECT_EQ(chip.payload(2, 2).args[0], static_cast<uint64_t>(chip.payload(2, 2).context.task));
    const int64_t running = chip.payload(2, 1).context.task;

    for (int i = 0; i < 5; ++i) chip.step();
    ASSERT_EQ(chip.dispatched(2), 2u) << "a core has two payloads";
    ASSERT_EQ(chip.payload(2, 1).context.task, running);
    chip.finish(2, 1);
    chip.step();
    EXPECT_EQ(chip.dispatched(2), 2u) << "the second has not been taken";
    chip.take(2, 2);
    chip.step();
    EXPECT_EQ(chip.dispatched(2), 3u);
}

// It writes none either if a core is idle that an earlier look has seen at work.
TEST(Scheduler, WritesASecondDispatchToNoCoreThatWasIdle) {
    GraphBuilder graph;
    add_tasks(graph, 41);
    for (uint32_t i = 1; i < 41; ++i) graph.add_edge(0, i);
    PlayedChip chip(graph, 1);
    chip.shake_hands();
    chip.step();
    ASSERT_EQ(chip.dispatched(1), 1u);
    chip.take(1, 1);
    chip.step();
    chip.finish(1, 1);
    for (int i = 0; i < 5; ++i) {
        chip.step();
        ASSERT_EQ(chip.dispatched(1), 2u);
        ASSERT_EQ(chip.dispatched(2), 1u);
    }
}

// It does so only if cores are short: otherwise a task would wait behind another while a core is idle.
TEST(Scheduler, WritesNoSecondDispatchWhileThereAreCoresEnough) {
    GraphBuilder graph;
    add_tasks(graph, 3);
    PlayedChip chip(graph, 1);
    chip.shake_hands();
    chip.step();
    for (const uint32_t core : {1u, 2u}) chip.take(core, 1);
    chip.step();
    for (const uint32_t core : {1u, 2u}) EXPECT_EQ(chip.dispatched(core), 1u);
    chip.finish(1, 1);
    chip.step();
    EXPECT_EQ(chip.dispatched(1), 2u);
    EXPECT_EQ(chip.dispatched(2), 1u);
}

// A core answers with its last word only: the word for a later dispatch says that the earlier one has finished.
TEST(Scheduler, TakesTheAnswerForALaterDispatchForBoth) {
    GraphBuilder graph;
    add_tasks(graph, 4);
    PlayedChip chip(graph, 1);
    chip.shake_hands();
    chip.step();
    chip.take(1, 1);
    chip.step();
    ASSERT_EQ(chip.dispatched(1), 2u);
    chip.finish(1, 2);
    chip.step();
    chip.finish(2, 1);
    chip.step();
    EXPECT_EQ(chip.dispatched(1) == 3 || chip.dispatched(2) == 2, true);
    const uint32_t last = chip.dispatched(1) == 3 ? 1 : 2;
    chip.finish(last, chip.dispatched(last));
    EXPECT_EQ(chip.step(), CH_STEP_WORKED);
    EXPECT_EQ(chip.step(), CH_STEP_WORKED);  // all four are complete
    EXPECT_EQ(chip.dispatched(0), main_base_exit);
}

// The value of a register from before the dispatch is no answer to it.
TEST(Scheduler, TakesNoAnswerOfAnEarlierDispatch) {
    GraphBuilder graph;
    add_tasks(graph, 3);
    graph.add_edge(0, 2);
    graph.add_edge(1, 2);
    PlayedChip chip(graph, 1);
    chip.shake_hands();
    chip.step();
    for (const uint32_t core : {1u, 2u}) chip.finish(core, 1);
    chip.step();
    ASSERT_EQ(chip.dispatched(1), 2u);
    for (int i = 0; i < 3; ++i) chip.step();
    EXPECT_NE(chip.dispatched(0), main_base_exit) << "the third task has not run";
    chip.finish(1, 2);
    chip.step();
    chip.step();
    EXPECT_EQ(chip.dispatched(0), main_base_exit);
}

// Tiles that the last task of the cluster has pushed and nobody popped are not the next one's, in any queue.
TEST(Scheduler, HandsAClusterOverEmpty) {
    for (const uint8_t cores : {uint8_t{7}, uint8_t{6}, uint8_t{3}}) {
        for (const uint32_t cluster : {0u, 1u}) {
            GraphBuilder graph;
            add_tasks(graph, 1);
            PlayedChip chip(graph, 2, 2);
            chip.make_mix(0, cores);
            HandOverArea& own = chip.hand_over[cluster];
            HandOverArea& other = chip.hand_over[1 - cluster];
            for (HandOverArea* area : {&own, &other}) {
                for (HandOverQueue* queue : {&area->to_aiv[0], &area->to_aiv[1], &area->to_aic[0], &area->to_aic[1]}) {
                    queue->pushed = 5;
                    queue->popped = 4;
                }
            }
            chip.shake_hands();
            chip.step(cluster);  // the thread of the same number has it
            const uint32_t of_cluster[] = {cluster, 2 + 2 * cluster, 3 + 2 * cluster};
            for (uint32_t slot = 0; slot < 3; ++slot) {
                const uint32_t core = of_cluster[slot];
                ASSERT_EQ(chip.dispatched(core), cores & 1 << slot ? 1u : main_base_idle);
                if (!(cores & 1 << slot)) continue;
                EXPECT_EQ(chip.payload(core, 1).context.hand_over, reinterpret_cast<uint64_t>(&own));
                EXPECT_EQ(chip.payload(core, 1).context.sub_block_id, slot == 2 ? 1 : 0);
            }
            for (const HandOverQueue* queue : {&own.to_aiv[0], &own.to_aiv[1], &own.to_aic[0], &own.to_aic[1]}) {
                EXPECT_EQ(queue->pushed, 0u);
                EXPECT_EQ(queue->popped, 0u);
            }
            EXPECT_EQ(other.to_aic[1].pushed, 5u) << "another cluster's is left alone";
        }
    }
}

// A MIX task takes its cores at the same time, so all of the cluster must be idle.
TEST(Scheduler, WaitsForTheWholeClusterOfAMixTask) {
    GraphBuilder graph;
    add_tasks(graph, 2);
    PlayedChip chip(graph, 1);
    chip.make_mix(1, 7);
    chip.shake_hands();
    chip.step();
    EXPECT_EQ(chip.dispatched(0), 1u);
    EXPECT_EQ(chip.payload(1, 1).context.task, 1) << "the MIX task goes first";
    for (const uint32_t core : {0u, 1u}) chip.finish(core, 1);
    chip.step();
    EXPECT_EQ(chip.dispatched(1), 2u) << "the AIV task";
    chip.finish(1, 2);
    chip.step();
    EXPECT_NE(chip.dispatched(0), main_base_exit) << "a third of the MIX task is still running";
    chip.finish(2, 1);
    chip.step();
    chip.step();
    EXPECT_EQ(chip.dispatched(0), main_base_exit);
}

// Threads have clusters in turn, and sleep: a thread that makes more tasks ready than its own cores can start tells
// others.
TEST(Scheduler, TellsOtherThreadsWhatItCannotStart) {
    GraphBuilder graph;
    add_tasks(graph, 9);
    for (uint32_t i = 1; i < 9; ++i) graph.add_edge(0, i);
    PlayedChip chip(graph, 2, 2);
    chip.shake_hands();
    chip.step(0);
    chip.step(1);
    ASSERT_EQ(chip.dispatched(2), 1u);  // the first AIV of cluster 0, which is thread 0's
    const uint32_t before = chip.signals(0);
    chip.finish(2, 1);
    chip.step(0);
    EXPECT_GT(chip.signals(0), before);
    chip.step(1);
    for (const uint32_t core : {4u, 5u}) EXPECT_EQ(chip.dispatched(core), 1u) << core;
}

}  // namespace chiphost::scheduler

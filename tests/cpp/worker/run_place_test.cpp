// SPDX-License-Identifier: Apache-2.0
#include "worker/run_place.h"

#include <gtest/gtest.h>

#include <memory>

#include "status/report.h"

namespace chiphost::worker {

namespace {

const ch_kernel kernels[] = {{1, CH_AIV, {nullptr, 0, "", "add"}}, {7, CH_AIC, {nullptr, 0, "", "multiply"}}};
const ch_callable callable{CH_CALLABLE_FORMAT, 2, "", {}, "", kernels};

class RunPlaceTest : public testing::Test {
protected:
    RunPlaceTest() { begin_progress(&progress); }

    ch_run_progress progress;
};

}  // namespace

TEST_F(RunPlaceTest, IsThePhase) {
    const std::pair<uint32_t, const char*> places[] = {{CH_PHASE_PREPARE, "loading the callable"},
                                                       {CH_PHASE_ORCHESTRATION, "the orchestration"},
                                                       {CH_PHASE_DEVICE, "the device"},
                                                       {CH_PHASE_COPY_OUT, "the device"}};
    for (const auto& [phase, expected] : places) {
        progress.phase = phase;
        const RunPlace place = RunPlace::of(progress, callable);
        EXPECT_STREQ(place.where, expected);
        EXPECT_EQ(place.what, expected);
        EXPECT_EQ(place.task, -1);
        EXPECT_EQ(place.core, -1);
        EXPECT_EQ(place.func_id, -1);
    }
}

TEST_F(RunPlaceTest, IsTheOrchestrationThatRunsOnTheDevice) {
    progress.phase = CH_PHASE_DEVICE;
    progress.orchestrating = 1;
    EXPECT_EQ(RunPlace::of(progress, callable).what, "the orchestration");
}

TEST_F(RunPlaceTest, IsAKernelOnAnyLane) {
    progress.phase = CH_PHASE_DEVICE;
    progress.orchestrating = 1;
    auto& last = progress.lanes[CH_MAX_SIM_THREADS - 1];
    last.task = int64_t{3} << 32 | 5;
    last.core = 6;
    last.func_id = 7;
    last.submission = 8;
    const RunPlace place = RunPlace::of(progress, callable);
    EXPECT_STREQ(place.where, "device");
    EXPECT_EQ(place.what, "kernel `multiply` of submit #8 on core 6");
    ch_error error = no_error();
    place.blame(&error);
    EXPECT_EQ(error.task, int64_t{3} << 32 | 5);
    EXPECT_EQ(error.core, 6);
    EXPECT_EQ(error.func_id, 7);
}

TEST_F(RunPlaceTest, IsTheFirstOfSeveralKernels) {
    progress.phase = CH_PHASE_DEVICE;
    progress.lanes[2] = {0, 1, 1, 0, 11};
    progress.lanes[3] = {9, 2, 7, 0, 0};
    EXPECT_EQ(RunPlace::of(progress, callable).what, "kernel `add` of submit #11 on core 1");
}

TEST_F(RunPlaceTest, AreAllKernelsThatRun) {
    progress.phase = CH_PHASE_DEVICE;
    progress.lanes[2] = {0, 1, 1, 0, 11};
    progress.lanes[3] = {9, 2, 7, 0, 0};
    const auto places = RunPlace::all_of(progress, callable);
    ASSERT_EQ(places.size(), 2u);
    EXPECT_EQ(places[0].what, "kernel `add` of submit #11 on core 1");
    EXPECT_EQ(places[1].what, "kernel `multiply` of submit #0 on core 2");
}

// A thread that has not answered, or is in other code than the place is about, says nothing.
TEST_F(RunPlaceTest, HasTheCodeOfItsThread) {
    progress.phase = CH_PHASE_DEVICE;
    progress.lanes[2] = {0, 1, 1, 0, 11};
    const auto code_with = [&](uint32_t lane, const isolate::CodeSample& sample) {
        const auto samples = std::make_unique<isolate::CodeSamples>();
        samples->lanes[lane] = sample;
        RunPlace place = RunPlace::of(progress, callable);
        place.find_code(*samples);
        return place.code;
    };
    constexpr int32_t orchestration = isolate::CodeSample::of_orchestration;
    EXPECT_EQ(code_with(2, {1, 1, 2, {0x11f2, 0x1200}}), " at [func_id 1+0x11f2,0x1200]");
    EXPECT_EQ(code_with(2, {0, 1, 2, {0x11f2, 0x1200}}), "");
    EXPECT_EQ(code_with(2, {1, 1, 0, {}}), "");
    EXPECT_EQ(code_with(3, {1, 1, 1, {0x11f2}}), "");
    EXPECT_EQ(code_with(2, {1, orchestration, 1, {0x11f2}}), "");
    progress.lanes[2].task = -1;
    progress.orchestrating = 1;
    EXPECT_EQ(code_with(5, {1, orchestration, 1, {0x11f2}}), " at [orchestration+0x11f2]");
    EXPECT_EQ(code_with(5, {1, 1, 1, {0x11f2}}), "");
}

TEST_F(RunPlaceTest, IsAKernelWithoutAName) {
    progress.phase = CH_PHASE_DEVICE;
    progress.lanes[0] = {4, 0, 2, 0, 12};
    EXPECT_EQ(RunPlace::of(progress, callable).what, "kernel of func_id 2 of submit #12 on core 0");
}

TEST_F(RunPlaceTest, IsNoKernelOfAnotherPhase) {
    progress.lanes[0] = {4, 0, 1, 0, 0};
    progress.phase = CH_PHASE_COPY_OUT;
    EXPECT_EQ(RunPlace::of(progress, callable).what, "the device");
}

TEST_F(RunPlaceTest, ForgetsTheRunBefore) {
    progress.phase = CH_PHASE_DEVICE;
    progress.claim = CH_CLAIM_ABANDONED;
    progress.cancel = 1;
    for (auto& lane : progress.lanes) lane = {0, 0, 0, 0, 0};
    begin_progress(&progress);
    EXPECT_EQ(progress.phase, uint32_t{CH_PHASE_IDLE});
    EXPECT_EQ(progress.claim, uint32_t{CH_CLAIM_OPEN});
    EXPECT_EQ(progress.cancel, 0u);
    for (const auto& lane : progress.lanes) EXPECT_EQ(lane.task, -1);
}

}  // namespace chiphost::worker

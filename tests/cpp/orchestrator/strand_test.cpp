// SPDX-License-Identifier: Apache-2.0
//
// A strand on a platform that pauses when the test says so: what others do during a pause is a function of the test.
#include "orchestrator/strand.h"

#include <gtest/gtest.h>

#include <functional>

namespace chiphost::platform {

struct AicpuPort {
    bool pauses = true;
    bool breathes = false;
    bool returns = false;  // what a resumed strand does
    uint32_t resumes = 0;
    uint32_t pauses_made = 0;
    std::function<void()> meanwhile = [] {};
};

bool resume_strand(AicpuPort* port, void (*body)(void*), void* argument) {
    ++port->resumes;
    body(argument);
    return port->returns;
}
bool pause_strand(AicpuPort* port) {
    if (!port->pauses) return false;
    ++port->pauses_made;
    port->meanwhile();
    return true;
}
bool should_breathe(AicpuPort* port, bool due) {
    return due || port->breathes;
}

}  // namespace chiphost::platform

namespace chiphost::orchestrator {

namespace {

class StrandTest : public testing::Test, public SchedulerInterface {
protected:
    StrandTest() { strand.begin(&port, this); }

    void make_ready(uint32_t) override {}
    bool stopped() const override { return is_stopped; }
    void fail(const ch_error&, int64_t) override {}
    void work() override {
        ++works;
        port.meanwhile();
    }
    bool go_on() {
        return strand.go_on([](void* count) { ++*static_cast<uint32_t*>(count); }, &ran);
    }

    platform::AicpuPort port;
    Strand strand;
    bool is_stopped = false;
    uint32_t works = 0, ran = 0;
};

}  // namespace

TEST_F(StrandTest, IsResumedUntilItReturns) {
    EXPECT_FALSE(go_on());
    EXPECT_FALSE(go_on());
    port.returns = true;
    EXPECT_TRUE(go_on());
    EXPECT_EQ(ran, 3u);
    EXPECT_TRUE(go_on());
    EXPECT_EQ(port.resumes, 3u) << "it is never resumed again";
}

TEST_F(StrandTest, IsGivenUpIfItDoesNotReturnAfterAStop) {
    EXPECT_FALSE(go_on()) << "this does not count";
    is_stopped = true;
    for (uint32_t i = 0; i < Strand::resumes_after_stop_max; ++i) ASSERT_FALSE(go_on()) << i;
    EXPECT_TRUE(go_on());
    EXPECT_TRUE(go_on());
    EXPECT_EQ(port.resumes, Strand::resumes_after_stop_max + 2);
}

TEST_F(StrandTest, MayReturnOrderlyAfterAStop) {
    is_stopped = true;
    EXPECT_FALSE(go_on());
    port.returns = true;
    EXPECT_TRUE(go_on());
}

TEST_F(StrandTest, LetsOthersOnNowAndThen) {
    for (int call = 1; call <= 96; ++call) EXPECT_TRUE(strand.breathe()) << call;
    EXPECT_EQ(port.pauses_made, 3u);
    port.breathes = true;
    EXPECT_TRUE(strand.breathe());
    EXPECT_EQ(port.pauses_made, 4u) << "the platform wanted it";
}

TEST_F(StrandTest, PausesInEveryCallAfterAStop) {
    is_stopped = true;
    for (uint32_t call = 1; call <= 3; ++call) {
        EXPECT_FALSE(strand.breathe());
        EXPECT_EQ(port.pauses_made, call);
    }
}

TEST_F(StrandTest, NoticesAStopDuringItsPause) {
    port.breathes = true;
    port.meanwhile = [&] { is_stopped = true; };
    EXPECT_FALSE(strand.breathe());
}

TEST_F(StrandTest, DoesNotWaitForWhatIsThere) {
    EXPECT_TRUE(strand.wait(Missing::heap, [] { return true; }));
    EXPECT_EQ(port.pauses_made, 0u);
    EXPECT_EQ(strand.missing(), Missing::none);
    EXPECT_TRUE(strand.can_go_on());
}

TEST_F(StrandTest, WaitsUntilItIsThere) {
    bool there = false;
    uint32_t asked = 0;
    port.meanwhile = [&] {
        EXPECT_TRUE(strand.waiting());
        EXPECT_EQ(strand.missing(), Missing::edges);
        EXPECT_EQ(strand.can_go_on(), there);
        there = port.pauses_made == 3;
        EXPECT_EQ(strand.can_go_on(), there);
    };
    EXPECT_TRUE(strand.wait(Missing::edges, [&] {
        ++asked;
        return there;
    }));
    EXPECT_EQ(port.pauses_made, 3u);
    EXPECT_GE(asked, 5u) << "it is asked again after it was said that this waits";
    EXPECT_FALSE(strand.waiting());
    EXPECT_EQ(strand.missing(), Missing::none);
}

TEST_F(StrandTest, SeesWhatBecameTrueBeforeItWasKnownToWait) {
    uint32_t asked = 0;
    EXPECT_TRUE(strand.wait(Missing::slot, [&] { return ++asked == 2; }));
    EXPECT_EQ(port.pauses_made, 0u) << "nobody would wake it";
}

TEST_F(StrandTest, WaitsNoLongerThanTheRun) {
    port.meanwhile = [&] {
        is_stopped = true;
        EXPECT_TRUE(strand.can_go_on());
    };
    EXPECT_FALSE(strand.wait(Missing::uses, [] { return false; }));
    EXPECT_EQ(port.pauses_made, 1u);
    EXPECT_FALSE(strand.waiting());
    uint32_t asked = 0;
    EXPECT_FALSE(strand.wait(Missing::uses, [&] { return ++asked == 2; })) << "what comes after the end is of no use";
}

TEST_F(StrandTest, WorksItselfWherePausesAreNone) {
    port.pauses = false;
    port.meanwhile = [&] {};
    EXPECT_TRUE(strand.wait(Missing::record, [&] { return works == 2; }));
    EXPECT_EQ(works, 2u);
    port.breathes = true;
    EXPECT_TRUE(strand.breathe());
    EXPECT_EQ(works, 3u);
}

}  // namespace chiphost::orchestrator

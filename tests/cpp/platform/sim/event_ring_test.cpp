// SPDX-License-Identifier: Apache-2.0
#include "event_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace chiphost::platform {

class EventRingTest : public testing::TestWithParam<bool> {
protected:
    EventRingTest() : ring(GetParam()), payloads(4) {
        payloads[2].submission = 7;  // dispatches of even numbers to core 1
        payloads[2].func_id = 0;
        payloads[3].submission = 8;
        payloads[3].func_id = 5;
    }

    EventRing ring;
    std::vector<core_protocol::Payload> payloads;
    const graph::KernelName table[1] = {{"add"}};
    const graph::KernelNames names{table, 1};
};

TEST_P(EventRingTest, NamesWhatHappenedInOrder) {
    ring.main_base(payloads.data(), 1, 2, 4);
    ring.cond(1, 4);
    ring.handed_over(1);
    payloads[2].status = core_protocol::KernelStatus::threw;  // of no interest to events
    ring.cond(1, 4 | core_protocol::cond_finish_bit);
    ring.main_base(payloads.data(), 1, 0, 5);
    ring.main_base(payloads.data(), 1, 0, core_protocol::main_base_exit);
    ring.cond(1, core_protocol::cond_exited);
    EXPECT_EQ(ring.text(names),
              "the last 7 of 7 events:\n"
              "  0: AICPU thread 2 gives core 1 kernel `add` of submit #7\n"
              "  1: core 1 begins kernel `add` of submit #7\n"
              "  2: core 1 tells its cluster that something has changed\n"
              "  3: core 1 has finished kernel `add` of submit #7\n"
              "  4: AICPU thread 0 gives core 1 kernel of func_id 5 of submit #8\n"
              "  5: AICPU thread 0 tells core 1 to exit\n"
              "  6: core 1 has exited\n");
}

TEST_P(EventRingTest, NamesTheHandshake) {
    ring.main_base(nullptr, 1, 0, core_protocol::main_base_idle);
    ring.cond(1, core_protocol::cond_idle);
    EXPECT_EQ(ring.text(names),
              "the last 2 of 2 events:\n"
              "  0: AICPU thread 0 opens the registers of core 1\n"
              "  1: core 1 is ready\n");
}

TEST_P(EventRingTest, NumbersDispatchesWhoseBeginningIsNotKept) {
    ring.main_base(payloads.data(), 1, 0, 4);
    for (uint32_t i = 1; i < EventRing::kept_max; ++i) ring.handed_over(0);
    ring.cond(1, 4);
    EXPECT_NE(ring.text(names).find("core 1 begins its dispatch 4\n"), std::string::npos);
}

TEST_P(EventRingTest, KeepsTheLastOnes) {
    for (uint32_t i = 0; i < 300; ++i) ring.handed_over(i);
    const std::string text = ring.text(names);
    EXPECT_EQ(text.find("the last 256 of 300 events:\n  44: core 44 tells"), 0u) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 257);
}

INSTANTIATE_TEST_SUITE_P(Threads, EventRingTest, testing::Bool());

}  // namespace chiphost::platform

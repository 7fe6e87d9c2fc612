// SPDX-License-Identifier: Apache-2.0
//
// The handshake part by part, on a chip without a fast path. In which states a launch is refused, scheduler_test.cpp
// shows.
#include "scheduler/handshakes.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace chiphost::platform {

// The registers of one core, and what the test wants to see at each write.
struct AicpuPort {
    std::vector<std::pair<Register, uint32_t>> written;
    uint32_t cond = 0;
    uint32_t physical_core = UINT32_MAX;  // of the last access
    std::function<void()> at_write = [] {};
};

uint32_t read_register(AicpuPort* port, uint32_t core, Register which) {
    port->physical_core = core;
    return which == Register::cond ? port->cond : 0;
}
void write_register(AicpuPort* port, uint32_t core, Register which, uint32_t value) {
    port->physical_core = core;
    port->written.emplace_back(which, value);
    port->at_write();
}
void invalidate_cache(const void*, size_t) {}
void flush_cache(const void*, size_t) {}

}  // namespace chiphost::platform

namespace chiphost::scheduler {

using namespace core_protocol;

using platform::Register;

namespace {

using Writes = std::vector<std::pair<Register, uint32_t>>;

class HandshakesTest : public testing::Test {
protected:
    HandshakesTest() : handshakes(records, payloads) {
        mine.insert(1);
        mine.insert(3);
    }

    Handshake records[4]{};
    Payload payloads[8]{};
    Handshakes handshakes;
    CoreSet mine;
    platform::AicpuPort port;
};

}  // namespace

TEST_F(HandshakesTest, TellEachCoreOfTheThreadItsPayloads) {
    handshakes.announce(mine);
    for (uint32_t core = 0; core < 4; ++core) {
        EXPECT_EQ(records[core].aicpu_ready.load(), core % 2) << "cores of other threads are theirs";
        EXPECT_EQ(records[core].payloads, core % 2 ? reinterpret_cast<uint64_t>(&payloads[2 * core]) : 0);
    }
}

TEST_F(HandshakesTest, WaitForEveryCoreOfTheThreadToReport) {
    EXPECT_TRUE(handshakes.all_reported({})) << "a thread without cores waits for none";
    EXPECT_FALSE(handshakes.all_reported(mine));
    records[0].aicore_regs_ready = 1;
    records[3].aicore_regs_ready = 1;
    EXPECT_FALSE(handshakes.all_reported(mine)) << "core 1 has not answered";
    records[1].aicore_regs_ready = 1;
    EXPECT_TRUE(handshakes.all_reported(mine));
    records[1].core_type = CH_AIV;
    records[1].physical_core = 77;
    EXPECT_EQ(handshakes.of(1).core_type, uint32_t{CH_AIV}) << "whether that can be is the scheduler's";
    EXPECT_EQ(handshakes.of(1).physical_core, 77u);
}

TEST_F(HandshakesTest, LetACoreInWhenItsRegistersAreIdle) {
    records[1].physical_core = UINT32_MAX;  // the core may write it again after it was checked
    port.at_write = [&] {
        EXPECT_EQ(records[1].aicpu_regs_ready.load(), 0u) << "the core would read what an earlier launch has left";
        EXPECT_EQ(records[1].registers.load(), RegistersUse::open) << "a launch may be cut off from here on";
    };
    handshakes.let_in(1, 9, &port);
    EXPECT_EQ(port.written, (Writes{{Register::data_main_base, main_base_idle}}));
    EXPECT_EQ(port.physical_core, 9u);
    EXPECT_EQ(records[1].aicpu_regs_ready.load(), 1u);
    EXPECT_EQ(records[3].aicpu_regs_ready.load(), 0u);
}

TEST_F(HandshakesTest, SendACoreAwayWithoutItsRegisters) {
    handshakes.send_away(3);
    EXPECT_EQ(records[3].aicpu_regs_ready.load(), launch_over);
    EXPECT_EQ(records[3].registers.load(), RegistersUse::none);
    EXPECT_EQ(port.written, Writes{});
}

TEST_F(HandshakesTest, WaitForEveryCoreOfTheThreadToBeReady) {
    EXPECT_TRUE(handshakes.all_wait({}));
    records[1].aicore_done = 2;
    EXPECT_FALSE(handshakes.all_wait(mine));
    records[3].aicore_done = 3;
    EXPECT_FALSE(handshakes.all_wait(mine)) << "that is another core's number";
    records[3].aicore_done = 4;
    EXPECT_TRUE(handshakes.all_wait(mine));
}

TEST_F(HandshakesTest, TellACoreToExitAndSeeThatItHas) {
    port.at_write = [&] { EXPECT_EQ(records[3].registers.load(), RegistersUse::told_to_exit); };
    handshakes.tell_to_exit(3, 9, &port);
    EXPECT_EQ(port.written, (Writes{{Register::data_main_base, main_base_exit}}));
    for (const uint32_t cond : {0u, cond_idle, cond_finish_bit | 1, uint32_t{main_base_exit}}) {
        port.cond = cond;
        EXPECT_FALSE(Handshakes::has_exited(9, &port)) << cond;
    }
    port.cond = cond_exited;
    EXPECT_TRUE(Handshakes::has_exited(9, &port));
    EXPECT_EQ(port.physical_core, 9u);
}

TEST_F(HandshakesTest, CloseRegistersThatTheChipHas) {
    Handshakes::close_registers(9, &port);
    EXPECT_EQ(port.written, (Writes{{Register::data_main_base, main_base_idle}})) << "there is no fast path";
    EXPECT_EQ(port.physical_core, 9u);
}

}  // namespace chiphost::scheduler

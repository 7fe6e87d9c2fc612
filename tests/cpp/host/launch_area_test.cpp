// SPDX-License-Identifier: Apache-2.0
#include "host/launch_area.h"

#include <gtest/gtest.h>
#include <string.h>

#include "chiphost/hand_over.h"
#include "fake_device.h"
#include "graph/core_protocol.h"
#include "test_files.h"

namespace chiphost::host {

const char* const runtime_name = "test";

namespace {

using core_protocol::Handshake;
using core_protocol::Payload;

class LaunchAreaTest : public testing::Test {
protected:
    LaunchArea::Setup setup_of(uint32_t block_dim, bool hands_over = false) {
        return {block_dim, 3, 7, 0x700, 0x800, 0x900, hands_over};
    }
    const ch_launch& prepare(const LaunchArea::Setup& setup) {
        uint64_t launch = 0;
        EXPECT_EQ(area->prepare(setup, &launch, &error), CH_OK) << tests::text_of(error);
        return *reinterpret_cast<const ch_launch*>(launch);
    }
    // Fills everything that a launch may write, as far as it goes.
    static void use(const ch_launch& launch) {
        const uint32_t cores = launch.block_dim * 3;
        memset(reinterpret_cast<void*>(launch.handshakes), 'x', cores * sizeof(Handshake));
        memset(reinterpret_cast<void*>(launch.payloads), 'x', 2 * cores * sizeof(Payload));
        memset(reinterpret_cast<void*>(launch.status), 'x', sizeof(ch_launch_status));
    }

    platform::Device device;
    std::unique_ptr<LaunchArea> area = std::make_unique<LaunchArea>(&device);
    ch_launch_status status{};
    ch_error error = no_error();
};

}  // namespace

TEST_F(LaunchAreaTest, HasARecordOfTheLaunch) {
    const ch_launch& launch = prepare(setup_of(2));
    EXPECT_EQ(launch.format, uint32_t{CH_LAUNCH_FORMAT});
    EXPECT_EQ(launch.block_dim, 2u);
    EXPECT_EQ(launch.aicpu_thread_count, 3u);
    EXPECT_EQ(launch.kernel_count, 7u);
    EXPECT_EQ(launch.kernels, 0x700u);
    EXPECT_EQ(launch.kernel_names, 0x800u);
    EXPECT_EQ(launch.graph, 0x900u);
    EXPECT_EQ(launch.hand_over, 0u) << "no kernel wants it";
}

TEST_F(LaunchAreaTest, KeepsItsPartsApart) {
    for (const uint32_t block_dim : {1u, 2u, 24u}) {
        const ch_launch& launch = prepare(setup_of(block_dim));
        const uint64_t begin = reinterpret_cast<uint64_t>(&launch);
        const uint32_t cores = block_dim * 3;
        EXPECT_GE(launch.status, begin + sizeof launch);
        EXPECT_GE(launch.handshakes, launch.status + sizeof(ch_launch_status));
        EXPECT_GE(launch.payloads, launch.handshakes + cores * sizeof(Handshake));
        // The fake device does not align its memory.
        for (const uint64_t part : {launch.status, launch.handshakes, launch.payloads}) {
            EXPECT_EQ((part - begin) % 64, 0u) << "a core flushes its own lines";
        }
        use(launch);
        EXPECT_EQ(launch.block_dim, block_dim);
    }
}

TEST_F(LaunchAreaTest, BeginsEveryLaunchWithoutHandshakes) {
    for (int round = 0; round < 2; ++round) {
        const ch_launch& launch = prepare(setup_of(2));
        const char* const bytes = reinterpret_cast<const char*>(launch.handshakes);
        for (uint64_t i = 0; i < 6 * sizeof(Handshake); ++i) ASSERT_EQ(bytes[i], 0) << i;
        ASSERT_EQ(area->read_status(&status, &error), CH_OK);
        EXPECT_EQ(status.error.code, CH_OK);
        EXPECT_EQ(status.complete, 0);
        EXPECT_EQ(status.tasks_done, 0u);
        EXPECT_EQ(LaunchArea::fault_in(status, &error), CH_OK);
        use(launch);
    }
}

TEST_F(LaunchAreaTest, IsUsedAgainByLaunchesThatFit) {
    const ch_launch* const first = &prepare(setup_of(4, true));
    device.allocations_left = 0;
    EXPECT_EQ(&prepare(setup_of(4, true)), first);
    EXPECT_EQ(&prepare(setup_of(1, false)), first);
    device.allocations_left = UINT32_MAX;
    prepare(setup_of(5));
    EXPECT_EQ(device.memory.size(), 2u) << "the area before was given back";
    area.reset();
    EXPECT_EQ(device.memory.size(), 0u);
}

TEST_F(LaunchAreaTest, HasAHandOverAreaForEachClusterThatWantsOne) {
    const ch_launch& launch = prepare(setup_of(3, true));
    ASSERT_NE(launch.hand_over, 0u);
    memset(reinterpret_cast<void*>(launch.hand_over), 'x', 3 * sizeof(HandOverArea));
    EXPECT_EQ(prepare(setup_of(3, false)).hand_over, 0u);
}

TEST_F(LaunchAreaTest, SaysThatTheDeviceIsTooSmall) {
    uint64_t launch = 0;
    for (const uint32_t pieces : {0u, 1u}) {
        area = std::make_unique<LaunchArea>(&device);
        device.allocations_left = pieces;
        EXPECT_EQ(area->prepare(setup_of(2, true), &launch, &error), CH_DEVICE_MEMORY_EXHAUSTED);
        EXPECT_EQ(launch, 0u);
        device.allocations_left = UINT32_MAX;
        prepare(setup_of(2, true));  // there is room again
    }
}

TEST_F(LaunchAreaTest, HandsOnWhatTheDeviceHasReported) {
    const ch_launch& launch = prepare(setup_of(1));
    auto& reported = *reinterpret_cast<ch_launch_status*>(launch.status);
    report(&reported.error, CH_KERNEL_THREW, "device", "it fell");
    reported.error.task = 5;
    reported.complete = 1;
    reported.tasks_done = 4;
    ASSERT_EQ(area->read_status(&status, &error), CH_OK);
    EXPECT_EQ(status.tasks_done, 4u);
    EXPECT_EQ(LaunchArea::fault_in(status, &error), CH_KERNEL_THREW);
    EXPECT_EQ(tests::text_of(error), "KERNEL_THREW: device: it fell");
    EXPECT_EQ(error.task, 5);
}

TEST_F(LaunchAreaTest, BelievesNoTextThatIsNotComplete) {
    const ch_launch& launch = prepare(setup_of(1));
    auto& reported = *reinterpret_cast<ch_launch_status*>(launch.status);
    report(&reported.error, CH_KERNEL_THREW, "device", "half a sen");
    ASSERT_EQ(area->read_status(&status, &error), CH_OK);
    EXPECT_EQ(LaunchArea::fault_in(status, &error), CH_KERNEL_THREW);
    EXPECT_EQ(tests::text_of(error), "KERNEL_THREW: device: (the device did not get to say more)");
}

}  // namespace chiphost::host

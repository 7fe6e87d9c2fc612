// SPDX-License-Identifier: Apache-2.0
//
// The simulated device from launch to launch.
#include <string>

#include "device_program.h"

namespace chiphost::worker {

using namespace tests;

// The launch that was cut off had dispatches under way; the registers of the next one do not show them.
TEST(SimDevice, BeginsEveryLaunchWithCleanRegisters) {
    const DeviceCallable callable;
    DeviceWorker worker;
    ch_error error = no_error();
    ASSERT_EQ(worker.reset(&error), CH_OK);
    ChipWorker::Options options = options_of("a2a3sim", "tensormap_and_ringbuffer");
    options.files.aicpu = library_path("aicpu_that_looks");
    ASSERT_EQ(worker.initialize(options, &error), CH_OK) << text_of(error);
    for (int round = 0; round < 3; ++round) {
        Operations good;
        good.data.assign(8, 2);
        for (int i = 0; i < 10; ++i) good.add(mix, i % 2, 0, 4, 4, 4);
        const std::vector<int64_t> expected = good.result();
        ASSERT_EQ(worker.run_operations(good, callable), "ok");
        EXPECT_EQ(good.data, expected);
        Operations stalled;
        stalled.data.assign(8, 2);
        stalled.add(stall);
        const std::string text = worker.run_operations(stalled, callable);
        ASSERT_EQ(text.find("STALLED: "), 0u) << text;
    }
}

}  // namespace chiphost::worker

// SPDX-License-Identifier: Apache-2.0
//
// Row H12 of docs/internals/namespaces.md: a system whose loader has no dlmopen, such as musl and macOS. domain.cpp is
// built here as it is built there.
#include "device_program.h"

namespace chiphost::worker {

TEST(Facts, H12_WithoutDlmopenThereAreNoNamespacesButCopies) {
    ChipWorker::Options options = tests::options_of("a2a3sim", "tensormap_and_ringbuffer");
    options.isolation.strategy = isolate::Strategy::link_namespace;
    ChipWorker refused;
    ch_error error = no_error();
    EXPECT_EQ(refused.initialize(options, &error), CH_ISOLATION_UNAVAILABLE);
    EXPECT_EQ(tests::text_of(error), "ISOLATION_UNAVAILABLE: " CHIPHOST_ANCHOR ": this system's loader has no dlmopen");

    options.isolation.strategy = isolate::Strategy::copy;
    ASSERT_EQ(refused.initialize(options, &error), CH_OK) << tests::text_of(error);
    ASSERT_EQ(refused.reset(&error), CH_OK);
}

}  // namespace chiphost::worker

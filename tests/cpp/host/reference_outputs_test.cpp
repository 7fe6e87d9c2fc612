// SPDX-License-Identifier: Apache-2.0
#include "host/reference_outputs.h"

#include <gtest/gtest.h>

namespace chiphost::host {

namespace {

// Three arrays of 4 bytes: an input, an output, and one that is both.
struct Arrays {
    char input[4] = {1, 1, 1, 1};
    char output[4] = {2, 2, 2, 2};
    char both[4] = {3, 3, 3, 3};
    ch_tensor tensors[3] = {};
    ch_task_args args{};

    Arrays() {
        const auto describe = [&](int i, char* data, uint8_t access) {
            tensors[i].data = reinterpret_cast<uint64_t>(data);
            tensors[i].dtype = CH_INT8;
            tensors[i].ndims = 1;
            tensors[i].shape[0] = 4;
            tensors[i].access = access;
        };
        describe(0, input, CH_IN);
        describe(1, output, CH_OUT);
        describe(2, both, CH_INOUT);
        args.tensors = tensors;
        args.tensor_count = 3;
    }
};

}  // namespace

TEST(ReferenceOutputs, PutsBackWhatARunMayWrite) {
    Arrays arrays;
    ReferenceOutputs reference;
    reference.begin(arrays.args);
    arrays.input[0] = arrays.output[1] = arrays.both[2] = 9;
    reference.restore(arrays.args);
    EXPECT_EQ(arrays.input[0], 9);
    EXPECT_EQ(arrays.output[1], 2);
    EXPECT_EQ(arrays.both[2], 3);
}

TEST(ReferenceOutputs, MatchesWhatWasAccepted) {
    Arrays arrays;
    ReferenceOutputs reference;
    reference.begin(arrays.args);
    EXPECT_FALSE(reference.matches(arrays.args));
    reference.accept(arrays.args);
    EXPECT_TRUE(reference.matches(arrays.args));
    arrays.both[3] = 9;
    EXPECT_FALSE(reference.matches(arrays.args));
    reference.accept(arrays.args);
    EXPECT_TRUE(reference.matches(arrays.args));
    arrays.both[3] = 3;
    EXPECT_TRUE(reference.matches(arrays.args));
    arrays.output[0] = 9;
    EXPECT_FALSE(reference.matches(arrays.args));
    reference.begin(arrays.args);
    EXPECT_FALSE(reference.matches(arrays.args));
}

}  // namespace chiphost::host

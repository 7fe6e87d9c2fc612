// SPDX-License-Identifier: Apache-2.0
#include "chiphost/align.h"

#include <gtest/gtest.h>

namespace chiphost {

TEST(AlignUp, GivesTheNextMultiple) {
    static_assert(align_up(1) == line_bytes, "it is known to the compiler");
    for (const uint64_t alignment : {1u, 2u, 3u, 64u, 512u, 4096u}) {
        for (uint64_t bytes = 0; bytes < 3 * alignment; ++bytes) {
            const uint64_t aligned = align_up(bytes, alignment);
            EXPECT_EQ(aligned % alignment, 0u) << bytes << " to " << alignment;
            EXPECT_GE(aligned, bytes);
            EXPECT_LT(aligned - bytes, alignment);
        }
    }
}

TEST(AlignUp, TakesTheLargestThatHasOne) {
    constexpr uint64_t largest = UINT64_MAX - line_bytes + 1;
    EXPECT_EQ(align_up(largest - 1), largest);
    EXPECT_EQ(align_up(largest), largest);
}

}  // namespace chiphost

// SPDX-License-Identifier: Apache-2.0
//
// Namespaces are counted; isolation_capacity_test.cpp tests the loader's answers about them. Every test runs in a
// process of its own.
#include "isolate/domain/namespace_budget.h"

#include <gtest/gtest.h>

#include "isolate/domain/domain.h"
#include "isolate/domain/namespace_pool.h"
#include "status/report.h"
#include "test_files.h"

namespace chiphost::isolate {

namespace {

NamespaceBudget& budget() {
    return NamespaceBudget::of_this_process();
}

}  // namespace

// A load that was refused has no namespace.
TEST(NamespaceBudget, CountsNoLoadThatWasRefused) {
    ch_error error = no_error();
    const NamespaceBudget::Numbers before = budget().numbers();
    for (size_t i = 0; i < before.limit + 3; ++i) {
        ASSERT_EQ(budget().take(CHIPHOST_ANCHOR, &error), CH_OK) << i << tests::text_of(error);
        EXPECT_EQ(budget().numbers().opened, before.opened + 1);
        EXPECT_EQ(budget().refused("wrong ELF class", &error), CH_LOAD_REFUSED);
        EXPECT_EQ(budget().numbers().opened, before.opened);
        EXPECT_EQ(budget().numbers().limit, before.limit);
    }
}

// The loader knows better than any estimate.
TEST(NamespaceBudget, TakesTheLoadersWordForTheLimit) {
    ch_error error = no_error();
    ASSERT_EQ(budget().take(CHIPHOST_ANCHOR, &error), CH_OK);
    ASSERT_EQ(budget().take(CHIPHOST_ANCHOR, &error), CH_OK);
    EXPECT_EQ(budget().refused("cannot allocate memory in static TLS block", &error), CH_NAMESPACES_SPENT);
    EXPECT_NE(std::string(error.message).find("cannot allocate memory in static TLS block"), std::string::npos);
    EXPECT_EQ(budget().numbers().opened, 1u);
    EXPECT_EQ(budget().numbers().limit, 1u);
    EXPECT_TRUE(budget().numbers().limit_found);
    EXPECT_EQ(budget().take(CHIPHOST_ANCHOR, &error), CH_NAMESPACES_SPENT);
    EXPECT_EQ(budget().numbers().opened, 1u);
}

#if !CHIPHOST_SANITIZED
// A broken anchor spends a namespace only if one was made for it.
TEST(NamespacePool, OpensNothingForABrokenAnchor) {
    NamespacePool& pool = NamespacePool::of_this_process();
    Domain* domain = nullptr;
    ch_error error = no_error();
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(pool.take("/missing/anchor.so", {}, &domain, &error), CH_FILE_UNREADABLE);
        EXPECT_EQ(budget().numbers().opened, 0u);
        EXPECT_EQ(pool.spare(), 0u);
    }
    ASSERT_EQ(pool.take(CHIPHOST_ANCHOR, {}, &domain, &error), CH_OK) << tests::text_of(error);
    EXPECT_EQ(budget().numbers().opened, 1u);
    pool.give_back(domain);
    EXPECT_EQ(pool.spare(), 1u);
    Domain* again = nullptr;
    ASSERT_EQ(pool.take(CHIPHOST_ANCHOR, {}, &again, &error), CH_OK);
    EXPECT_EQ(again, domain);
    EXPECT_EQ(budget().numbers().opened, 1u);
    EXPECT_EQ(pool.spare(), 0u);
}
#endif

}  // namespace chiphost::isolate

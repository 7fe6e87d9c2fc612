// SPDX-License-Identifier: Apache-2.0
#include "isolate/domain/private_copy.h"

#include <dlfcn.h>

#include "test_files.h"
#include "watched_writes.h"

namespace chiphost::isolate {

using tests::Binary;
using tests::text_of;

namespace {

int32_t load(const Binary& binary, void** out_handle, ch_error* out_error) {
    return load_private_copy(nullptr, binary.bytes.data(), binary.bytes.size(), binary.name, Variables::any, out_handle,
                             out_error);
}

}  // namespace

// A program that another thread starts while a copy is being loaded must not inherit it.
TEST(PrivateCopy, IsNotInherited) {
    void* handle = nullptr;
    ch_error error = no_error();
    tests::WatchedWrites writes;
    ASSERT_EQ(load(Binary("counter"), &handle, &error), CH_OK) << text_of(error);
    ASSERT_GE(writes.seen().size(), 1u);
    for (const tests::WatchedWrites::Seen& seen : writes.seen()) EXPECT_TRUE(seen.close_on_exec) << seen.path;
    dlclose(handle);
}

TEST(PrivateCopy, IsClosedIfAConstructorThrows) {
    const size_t before = tests::mappings_of("throws_when_loaded");
    for (int round = 0; round < 3; ++round) {
        void* handle = nullptr;
        ch_error error = no_error();
        EXPECT_EQ(load(Binary("throws_when_loaded"), &handle, &error), CH_LOAD_REFUSED);
        EXPECT_EQ(tests::mappings_of("throws_when_loaded"), before);
    }
}

TEST(PrivateCopy, HasVariablesOfItsOwn) {
    void* handles[2]{};
    for (void*& handle : handles) {
        ch_error error = no_error();
        ASSERT_EQ(load(Binary("counter"), &handle, &error), CH_OK) << text_of(error);
    }
    using Count = int32_t (*)(void*, const void*, void*);
    const auto count = [](void* handle) {
        return reinterpret_cast<Count>(dlsym(handle, "count_call"))(nullptr, nullptr, nullptr);
    };
    EXPECT_EQ(count(handles[0]), 1);
    EXPECT_EQ(count(handles[0]), 2);
    EXPECT_EQ(count(handles[1]), 1);
    for (void* handle : handles) dlclose(handle);
}

}  // namespace chiphost::isolate

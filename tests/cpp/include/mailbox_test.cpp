// SPDX-License-Identifier: Apache-2.0
#include "chiphost/abi/mailbox.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <thread>

#include "isolate/domain/anchor.h"

namespace chiphost::isolate {

namespace {

// A thread of the anchor that is linked into this program.
ch_mailbox* make_thread() {
    void* state = nullptr;
    ch_mailbox* keeper = nullptr;
    EXPECT_EQ(anchor_of_this_program().create(nullptr, &state, &keeper), 0);
    return keeper;
}

int32_t add_one(void* number, const void*, void*) {
    return ++*static_cast<int32_t*>(number);
}

int32_t wait_for_flag(void* flag, const void*, void*) {
    while (__atomic_load_n(static_cast<uint32_t*>(flag), __ATOMIC_ACQUIRE) == 0) std::this_thread::yield();
    return 5;
}

}  // namespace

TEST(Mailbox, CarriesCallsAndResults) {
    ch_mailbox* thread = make_thread();
    int32_t number = 0;
    for (int32_t i = 1; i <= 2000; ++i) ASSERT_EQ(ch_mailbox_call(thread, add_one, &number, nullptr, nullptr), i);
    EXPECT_EQ(number, 2000);
}

// With pauses that are longer than the time for which either side looks, both go to sleep and must be woken.
TEST(Mailbox, WakesASleepingThread) {
    ch_mailbox* thread = make_thread();
    int32_t number = 0;
    for (int32_t i = 1; i <= 50; ++i) {
        while (__atomic_load_n(&thread->thread_sleeps, __ATOMIC_ACQUIRE) == 0) std::this_thread::yield();
        ASSERT_EQ(ch_mailbox_call(thread, add_one, &number, nullptr, nullptr), i);
    }
}

TEST(Mailbox, TimesOutAndCanBeWaitedForAgain) {
    ch_mailbox* thread = make_thread();
    uint32_t flag = 0;
    int32_t code = 0;
    ch_mailbox_post(thread, wait_for_flag, &flag, nullptr, nullptr);
    EXPECT_EQ(ch_mailbox_wait(thread, 1'000'000, &code), 0);
    EXPECT_EQ(ch_mailbox_wait(thread, 0, &code), 0);
    __atomic_store_n(&flag, 1, __ATOMIC_RELEASE);
    EXPECT_EQ(ch_mailbox_wait(thread, CH_MAILBOX_FOR_EVER, &code), 1);
    EXPECT_EQ(code, 5);
}

TEST(Mailbox, DoesNotLetAnExceptionOut) {
    ch_mailbox* thread = make_thread();
    const ch_call throwing = [](void*, const void*, void*) -> int32_t { throw 1; };
    EXPECT_EQ(ch_mailbox_call(thread, throwing, nullptr, nullptr, nullptr), CH_ANCHOR_CALL_THREW);
    int32_t number = 0;
    EXPECT_EQ(ch_mailbox_call(thread, add_one, &number, nullptr, nullptr), 1);
}

TEST(Mailbox, CountsPastTheEndOfItsNumbers) {
    ch_mailbox mailbox{};
    mailbox.posted = mailbox.completed = UINT32_MAX;
    std::thread thread([&] {
        for (uint32_t served = UINT32_MAX, calls = 0; calls < 3; ++served, ++calls) {
            ch_mailbox_await(&mailbox, served);
            ch_mailbox_complete(&mailbox, served, mailbox.call(mailbox.first, mailbox.second, mailbox.third));
        }
    });
    int32_t number = 0;
    for (int32_t i = 1; i <= 3; ++i) EXPECT_EQ(ch_mailbox_call(&mailbox, add_one, &number, nullptr, nullptr), i);
    thread.join();
}

}  // namespace chiphost::isolate

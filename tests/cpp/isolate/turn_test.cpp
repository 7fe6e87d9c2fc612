// SPDX-License-Identifier: Apache-2.0
#include "isolate/turn.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace chiphost::isolate {

namespace {

constexpr uint64_t long_ns = 60'000'000'000;  // no test waits so long

// Takes the turn on another thread, which waits `ns` at most, and gives it back.
bool taken_by_another(Turn& turn, uint64_t ns) {
    bool taken = false;
    std::thread([&] {
        taken = turn.lock_for(ns);
        if (taken) turn.unlock();
    }).join();
    return taken;
}

int32_t this_thread() {
    return static_cast<int32_t>(syscall(SYS_gettid));
}

// Returns when the thread has got so far that it sleeps.
void wait_until_asleep(const std::atomic<int32_t>& number) {
    for (;; std::this_thread::yield()) {
        std::ifstream file("/proc/self/task/" + std::to_string(number) + "/stat");
        std::string text;
        std::getline(file, text);
        const size_t behind_name = text.rfind(')');
        if (behind_name != std::string::npos && text.compare(behind_name, 3, ") S") == 0) return;
    }
}

}  // namespace

TEST(Turn, IsHadByOneThreadUntilItIsGivenBack) {
    Turn turn;
    turn.lock();
    EXPECT_FALSE(taken_by_another(turn, 0));
    EXPECT_FALSE(taken_by_another(turn, 1'000));
    turn.unlock();
    EXPECT_TRUE(taken_by_another(turn, 0));
    EXPECT_TRUE(turn.lock_for(0)) << "the other thread has given it back";
    EXPECT_FALSE(taken_by_another(turn, 0)) << "lock_for() takes the turn, too";
    turn.unlock();
}

TEST(Turn, WakesWhoeverWaits) {
    Turn turn;
    turn.lock();
    bool waited = false, had = false;
    std::atomic<int32_t> numbers[2] = {0, 0};
    std::thread without_limit([&] {
        numbers[0] = this_thread();
        turn.lock();
        had = true;
        turn.unlock();
    });
    std::thread for_a_while([&] {
        numbers[1] = this_thread();
        waited = turn.lock_for(long_ns);
        if (waited) turn.unlock();
    });
    for (const auto& number : numbers) wait_until_asleep(number);
    EXPECT_FALSE(had);
    turn.unlock();
    without_limit.join();
    for_a_while.join();
    EXPECT_TRUE(waited);
    EXPECT_TRUE(had);
}

TEST(Turn, KeepsThreadsApart) {
    constexpr int threads = 4, rounds = 2'000;
    Turn turn;
    int count = 0;  // guarded by the turn
    bool inside = false;
    std::vector<std::thread> running;
    for (int i = 0; i < threads; ++i) {
        running.emplace_back([&, i] {
            for (int round = 0; round < rounds; ++round) {
                if (i % 2 == 0) {
                    turn.lock();
                } else {
                    ASSERT_TRUE(turn.lock_for(long_ns));
                }
                EXPECT_FALSE(inside);
                inside = true;
                ++count;
                inside = false;
                turn.unlock();
            }
        });
    }
    for (std::thread& thread : running) thread.join();
    EXPECT_EQ(count, threads * rounds);
}

}  // namespace chiphost::isolate

// SPDX-License-Identifier: Apache-2.0
#include "os/mutex.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace chiphost::os {

namespace {

using namespace std::chrono_literals;

bool free_for_another(Mutex& mutex) {
    bool free = false;
    std::thread([&] {
        free = mutex.try_lock();
        if (free) mutex.unlock();
    }).join();
    return free;
}

}  // namespace

TEST(MutexLock, HoldsTheMutexAsLongAsItSays) {
    Mutex mutex;
    {
        MutexLock lock(mutex);
        EXPECT_FALSE(free_for_another(mutex));
        lock.unlock();
        EXPECT_TRUE(free_for_another(mutex));
        lock.lock();
        EXPECT_FALSE(free_for_another(mutex));
    }
    EXPECT_TRUE(free_for_another(mutex));
    {
        MutexLock lock(mutex);
        lock.unlock();
    }
    EXPECT_TRUE(free_for_another(mutex)) << "it is given back once";
}

TEST(MutexLock, TakesOverAMutexThatIsHeld) {
    Mutex mutex;
    ASSERT_TRUE(mutex.try_lock());
    {
        const MutexLock lock(mutex, std::adopt_lock);
        EXPECT_FALSE(free_for_another(mutex));
    }
    EXPECT_TRUE(free_for_another(mutex));
}

TEST(Condition, WakesWhomeverItIsTrueFor) {
    Mutex mutex;
    Condition changed;
    int tokens = 0, waiting = 0, served = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            MutexLock lock(mutex);
            ++waiting;
            changed.wait(lock, [&] { return tokens > 0; });
            EXPECT_GT(tokens, 0) << "woken, but not for this";
            --tokens;
            ++served;
        });
    }
    for (bool all = false; !all; std::this_thread::yield()) {
        const MutexLock lock(mutex);
        all = waiting == 4;  // each has the mutex until it waits
    }
    {
        const MutexLock lock(mutex);
        tokens = 1;
        changed.notify_all();
    }
    for (int left = 3; left > 0; std::this_thread::yield()) {
        const MutexLock lock(mutex);
        if (tokens != 0) continue;
        left = 4 - served;
        tokens = left > 0 ? 1 : 0;
        changed.notify_one();
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(served, 4);
    EXPECT_EQ(tokens, 0);
}

TEST(Condition, SaysWhetherTheTimeHasPassed) {
    Mutex mutex;
    Condition changed;
    MutexLock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, 0ns, [] { return true; }));
    EXPECT_FALSE(changed.wait_for(lock, 1us, [] { return false; }));
    EXPECT_FALSE(free_for_another(mutex)) << "a wait ends with the mutex";
    bool said = false;
    std::thread other([&] {
        const MutexLock own(mutex);  // as soon as the other one waits
        said = true;
        changed.notify_one();
    });
    EXPECT_TRUE(changed.wait_for(lock, 1min, [&] { return said; }));
    lock.unlock();
    other.join();
}

}  // namespace chiphost::os

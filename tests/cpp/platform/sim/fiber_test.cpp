// SPDX-License-Identifier: Apache-2.0
#include "fiber.h"

#include <fenv.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace chiphost::platform {

namespace {

struct Story {
    Fiber fiber;
    FiberStack stack;
    std::string text;
    Story() { EXPECT_TRUE(stack.make(256 << 10)); }
};

}  // namespace

TEST(Fiber, PausesAndGoesOn) {
    Story story;
    const auto body = [](void* argument) {
        auto& self = *static_cast<Story*>(argument);
        for (int i = 0; i < 3; ++i) {
            self.text += std::to_string(i);
            self.fiber.pause();
        }
    };
    for (int round = 0; round < 3; ++round) {  // the same stack again and again
        story.text.clear();
        int resumed = 0;
        while (!story.fiber.resume(story.stack, body, &story)) story.text += "-" + std::to_string(resumed++);
        EXPECT_EQ(story.text, "0-01-12-2");
        EXPECT_FALSE(story.fiber.begun());
    }
}

// Exceptions are thrown, caught and in flight while others run, on another host thread each time.
TEST(Fiber, KeepsItsExceptionsToItself) {
    constexpr int count = 8;
    std::vector<std::unique_ptr<Story>> stories;
    for (int i = 0; i < count; ++i) stories.push_back(std::make_unique<Story>());
    const auto body = [](void* argument) {
        auto& self = *static_cast<Story*>(argument);
        for (int i = 0; i < 4; ++i) {
            try {
                throw std::runtime_error(std::to_string(i));
            } catch (const std::exception& error) {
                self.fiber.pause();
                self.text += error.what();
                try {
                    self.fiber.pause();
                    throw;
                } catch (const std::runtime_error& again) {
                    self.fiber.pause();
                    self.text += again.what();
                }
            }
            EXPECT_EQ(std::uncaught_exceptions(), 0);
        }
    };
    std::vector<bool> done(count, false);
    for (int left = count; left > 0;) {
        std::thread([&] {
            for (int i = 0; i < count; ++i) {
                if (done[i] || !stories[i]->fiber.resume(stories[i]->stack, body, stories[i].get())) continue;
                done[i] = true;
                --left;
            }
        }).join();
    }
    for (const auto& story : stories) EXPECT_EQ(story->text, "00112233");
}

// A fiber keeps its own rounding and blocked signals while it pauses; a new body begins as the thread is.
TEST(Fiber, KeepsWhatItDoesToTheThreadToItself) {
    Story story;
    const auto is_blocked = [] {
        sigset_t mask;
        pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        return sigismember(&mask, SIGUSR1) == 1;
    };
    const auto body = [](void* argument) {
        auto& self = *static_cast<Story*>(argument);
        sigset_t mask;
        pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        self.text += sigismember(&mask, SIGUSR1) == 1 ? "blocked " : "open ";
        sigaddset(&mask, SIGUSR1);
        pthread_sigmask(SIG_SETMASK, &mask, nullptr);
        fesetround(FE_UPWARD);
        self.fiber.pause();
        self.text += fegetround() == FE_UPWARD ? "upward " : "other ";
        fesetround(FE_TONEAREST);
    };
    for (int round = 0; round < 2; ++round) {
        EXPECT_FALSE(story.fiber.resume(story.stack, body, &story));
        EXPECT_EQ(fegetround(), FE_TONEAREST);
        EXPECT_FALSE(is_blocked());
        EXPECT_TRUE(story.fiber.resume(story.stack, body, &story));
        EXPECT_EQ(fegetround(), FE_TONEAREST);
        EXPECT_FALSE(is_blocked());
    }
    EXPECT_EQ(story.text, "open upward open upward ");
}

// Code that runs over the end of its stack must not write into another fiber's memory.
TEST(Fiber, HasAGuardBelowItsStack) {
    FiberStack stack;
    ASSERT_TRUE(stack.make(100000));
    EXPECT_GE(stack.bytes(), 100000u);
    volatile char* base = static_cast<char*>(stack.base());
    base[0] = 1;
    base[stack.bytes() - 1] = 1;
    EXPECT_DEATH(base[-1] = 1, "");
}

TEST(Fiber, UsesItsWholeStack) {
    Story story;
    const auto body = [](void* argument) {
        auto& self = *static_cast<Story*>(argument);
        volatile char large[200 << 10];
        for (size_t i = 0; i < sizeof large; i += 512) large[i] = 1;
        self.fiber.pause();
        self.text = large[512] ? "kept" : "lost";
    };
    EXPECT_FALSE(story.fiber.resume(story.stack, body, &story));
    EXPECT_TRUE(story.fiber.resume(story.stack, body, &story));
    EXPECT_EQ(story.text, "kept");
}

}  // namespace chiphost::platform

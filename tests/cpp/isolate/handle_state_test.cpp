// SPDX-License-Identifier: Apache-2.0
#include "isolate/handle_state.h"

#include <gtest/gtest.h>

#include <future>
#include <optional>
#include <string>
#include <thread>

#include "raw_outcome.h"
#include "test_files.h"

namespace chiphost::isolate {

namespace {

using namespace std::chrono_literals;

constexpr HandleState::Words words{"box",
                                   "built",
                                   "torn down",
                                   "visit",
                                   "the wait for a visit was cut short",
                                   "the box is lost: ",
                                   "nobody remembers why"};

const Wait for_ever;

class HandleStateTest : public testing::Test {
protected:
    // Takes a turn on another thread, and gives it back. Fills `error` unless it is CH_OK.
    ch_code turn_of_another(const Wait& wait) {
        ch_code code = CH_OK;
        std::thread([&] {
            const WaitTime time(wait);
            const TurnLock lock(state, time, &error);
            code = static_cast<ch_code>(lock.status().code());
        }).join();
        return code;
    }
    std::string usable() {
        const WaitTime time(for_ever);
        const TurnLock lock(state, time, &error);
        return lock.usable(&error).ok() ? "usable" : tests::text_of(error);
    }

    HandleState state{words, "here"};
    ch_error error = no_error();
};

}  // namespace

TEST_F(HandleStateTest, IsUsableUntilItIsPoisoned) {
    EXPECT_EQ(usable(), "usable");
    EXPECT_FALSE(state.poisoned());
    state.poison([] { return "it fell"; });
    EXPECT_TRUE(state.poisoned());
    EXPECT_EQ(usable(), "POISONED: here: the box is lost: it fell");
    EXPECT_FALSE(state.ended());
}

TEST_F(HandleStateTest, EndsFromEveryState) {
    for (const bool poisoned : {false, true}) {
        HandleState ending(words, "there");
        if (poisoned) ending.poison([] { return "it fell"; });
        ending.end();
        EXPECT_TRUE(ending.ended());
        EXPECT_EQ(ending.check_usable(&error), CH_FINALIZED);
        EXPECT_EQ(tests::text_of(error), "FINALIZED: there: the box was torn down");
    }
}

TEST_F(HandleStateTest, IsPoisonedWithoutMemoryForTheReason) {
    state.poison([] { return "an earlier reason"; });
    state.poison([]() -> std::string { throw std::bad_alloc(); });
    EXPECT_TRUE(state.poisoned());
    EXPECT_EQ(usable(), "POISONED: here: the box is lost: nobody remembers why");
}

TEST_F(HandleStateTest, IsPoisonedWhileTheReasonIsMade) {
    bool seen = false;
    state.poison([&] {
        seen = state.poisoned();
        return "it fell";
    });
    EXPECT_TRUE(seen) << "whoever waits for the turn may ask meanwhile";
}

TEST_F(HandleStateTest, GivesTheTurnBackAtTheEndOfACall) {
    EXPECT_EQ(usable(), "usable");
    EXPECT_EQ(turn_of_another({0ns, {}}), CH_OK) << "a turn that is free needs no time";
    EXPECT_EQ(turn_of_another({-1s, {}}), CH_OK);
    EXPECT_EQ(usable(), "usable");
}

TEST_F(HandleStateTest, WaitsAsLongAsItMay) {
    const WaitTime time(for_ever);
    std::optional<TurnLock> lock(std::in_place, state, time, &error);
    for (const Timeout timeout : {Timeout(0ns), Timeout(2ms)}) {
        EXPECT_EQ(turn_of_another({timeout, {}}), CH_DEADLINE_EXCEEDED);
    }
    EXPECT_EQ(tests::text_of(error),
              "DEADLINE_EXCEEDED: here: the visit did not begin within 0.002 s: another thread's visit had the box");
    EXPECT_EQ(turn_of_another({0ns, {}}), CH_DEADLINE_EXCEEDED) << "a wait in vain has given the turn away";
    lock.reset();
    EXPECT_EQ(turn_of_another({0ns, {}}), CH_OK);
}

TEST_F(HandleStateTest, StopsWaitingWhenItIsInterrupted) {
    const WaitTime time(for_ever);
    const TurnLock lock(state, time, &error);
    int asked = 0;
    const Wait wait{no_timeout, [&] { return ++asked < 3; }};
    EXPECT_EQ(turn_of_another(wait), CH_INTERRUPTED);
    EXPECT_EQ(asked, 3);
    EXPECT_EQ(tests::text_of(error), "INTERRUPTED: here: the wait for a visit was cut short");
    const Wait both{0ns, [] { return false; }};
    EXPECT_EQ(turn_of_another(both), CH_INTERRUPTED) << "an interrupt counts more than a deadline";
}

TEST_F(HandleStateTest, HasTheTurnWhenTheCallBeforeIsOver) {
    const WaitTime time(for_ever);
    std::optional<TurnLock> lock(std::in_place, state, time, &error);
    std::promise<void> waits;
    int asked = 0;
    const Wait wait{no_timeout, [&] {
                        if (++asked == 1) waits.set_value();
                        return true;
                    }};
    ch_code code = CH_INTERNAL;
    std::thread other([&] { code = turn_of_another(wait); });
    waits.get_future().wait();
    state.poison([] { return "it fell"; });
    lock.reset();
    other.join();
    EXPECT_EQ(code, CH_OK);
    EXPECT_EQ(usable(), "POISONED: here: the box is lost: it fell");
}

TEST_F(HandleStateTest, BelongsToOneProcess) {
    EXPECT_FALSE(state.inherited());
    EXPECT_EQ(state.check_process(&error), CH_OK);
    const WaitTime time(for_ever);
    const TurnLock lock(state, time, &error);
    ASSERT_TRUE(lock.status().ok());
    // Nobody in the child will ever give the turn back: it must not be waited for.
    const std::string found = tests::raw_outcome([&] {
        const TurnLock again(state, time, &error);
        const std::string text = tests::text_of(error);
        const std::string own = "this is " + std::to_string(getpid());
        if (!state.inherited() || again.usable(&error) != CH_WRONG_PROCESS || text.find(own) == std::string::npos) {
            return "not refused: " + text;
        }
        return text.substr(0, text.find(", this is"));
    });
    EXPECT_EQ(found, "WRONG_PROCESS: here: the box was built in process " + std::to_string(getpid()));
}

}  // namespace chiphost::isolate

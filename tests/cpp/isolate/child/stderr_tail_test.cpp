// SPDX-License-Identifier: Apache-2.0
#include "isolate/child/stderr_tail.h"

#include <gtest/gtest.h>

#include <memory>

namespace chiphost::isolate {

namespace {

class Tail : public testing::Test {
protected:
    void read(const std::string& text) { memcpy(tail.stage(), text.data(), text.size()); }
    void write(const std::string& text) {
        read(text);
        tail.keep(text.size());
    }
    const std::unique_ptr<StderrTail> owner = std::make_unique<StderrTail>();
    StderrTail& tail = *owner;
};

}  // namespace

TEST_F(Tail, HasNothingAtFirst) {
    EXPECT_EQ(tail.since(0), "");
}

// The writer may be killed at any step; every text is there once.
TEST_F(Tail, IsWholeWheneverTheWriterEnds) {
    write("one ");
    EXPECT_EQ(tail.since(0), "one ");
    tail.stage();
    EXPECT_EQ(tail.since(0), "one ");
    read("two ");
    EXPECT_EQ(tail.since(0), "one two ");
    tail.keep(4);
    EXPECT_EQ(tail.since(0), "one two ");
    memset(tail.staged, 0, 2);  // in the middle of stage()
    EXPECT_EQ(tail.since(0), "one two ");
    read("three");
    EXPECT_EQ(tail.since(0), "one two three");
}

TEST_F(Tail, BeginsWhereItIsAskedTo) {
    write("before ");
    const uint64_t position = tail.position();
    EXPECT_EQ(tail.since(position), "");
    read("after");
    EXPECT_EQ(tail.since(position), "after");
}

TEST_F(Tail, KnowsWhatWasNotForwarded) {
    write("seen ");
    tail.mark_forwarded();
    write("kept ");
    read("staged");
    EXPECT_EQ(tail.since(tail.forwarded), "kept staged");
}

TEST_F(Tail, KeepsTheEndOfALongText) {
    std::string all;
    for (int i = 0; i < 3000; ++i) {
        const std::string line = std::to_string(i) + "\n";
        write(line);
        all += line;
    }
    EXPECT_EQ(tail.since(0), all.substr(all.size() - StderrTail::capacity));
    const std::string large(StderrTail::capacity, 'x');
    read(large);
    EXPECT_EQ(tail.since(0), all.substr(all.size() - StderrTail::capacity) + large);
    tail.keep(large.size());
    EXPECT_EQ(tail.since(0), large);
}

}  // namespace chiphost::isolate

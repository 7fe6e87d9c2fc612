// SPDX-License-Identifier: Apache-2.0
//
// Data caches against a model of them.
#include "check/coherence_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "made_up_run.h"
#include "random_seed.h"

namespace chiphost::check {

namespace {

using tests::MadeUpRun;

constexpr uint64_t base = MadeUpRun::base;
constexpr uint32_t line = 64;
constexpr uint32_t bytes = 4 * line;

std::vector<Incoherence> find(MadeUpRun& run, const std::vector<Flush>& flushes = {}) {
    run.order.finish();
    return CoherenceSearch(run.memory, run.segments, run.order, flushes, line).find(true);
}

// Two cores of a block that take turns. What one does, the other knows of when its turn begins.
class TurnTaking {
public:
    explicit TurnTaking(MadeUpRun* run) : run_(*run), buffer_(run->add_buffer()) { run->order.add_nodes(1); }

    void take_turn(uint32_t core) {
        if (core == core_) return;
        const Clock released = clocks_[core_];
        ++clocks_[core_][core_];
        core_ = core;
        for (uint32_t each = 0; each < cores_of_cluster; ++each) {
            clocks_[core][each] = std::max(clocks_[core][each], released[each]);
        }
        begin_segment();
    }
    void use(uint64_t begin, uint64_t end, Action action, bool copied) {
        run_.use(buffer_, segment_, begin, end, action, AtomicUse::load, copied);
        begin_segment();  // the search knows no order within a segment
    }
    void flush(uint64_t begin, uint64_t end) {
        begin_segment();
        flushes_.push_back({segment_, base + begin, base + end});
    }
    const std::vector<Flush>& flushes() const { return flushes_; }

private:
    void begin_segment() { segment_ = run_.add_segment(0, 0, core_, clocks_[core_]); }

    MadeUpRun& run_;
    const uint32_t buffer_;
    uint32_t core_ = 0;
    std::array<Clock, 2> clocks_ = {Clock{1, 0, 0}, Clock{0, 1, 0}};
    uint32_t segment_ = run_.add_segment(0, 0, 0, clocks_[0]);
    std::vector<Flush> flushes_;
};

struct Step {
    enum class Kind { write, read, flush };
    Kind kind;
    uint32_t core;
    uint64_t begin, end;
    bool copied;
};

using Values = std::array<int, bytes>;

// The caches of both cores, and memory. A cache loses a line when it is flushed, and at any time if `evicts` says so.
class Caches {
public:
    template <typename Evicts>
    void step(const Step& step, int value, const Values& expected, Evicts&& evicts) {
        for (const uint32_t core : {0u, 1u}) {
            for (uint64_t number = 0; number < bytes / line; ++number) {
                if (evicts()) flush(core, number);
            }
        }
        for (uint64_t at = step.begin; at < step.end; ++at) {
            switch (step.kind) {
                case Step::Kind::flush:
                    flush(step.core, at / line);
                    break;
                case Step::Kind::read:
                    is_right_ &= (step.copied ? memory_[at] : line_of(step.core, at).values[at % line]) == expected[at];
                    break;
                case Step::Kind::write:
                    if (step.copied) {
                        memory_[at] = value;
                    } else {
                        Line& of = line_of(step.core, at);
                        of.values[at % line] = value;
                        of.dirty = true;
                    }
            }
        }
    }
    void end(uint32_t core) {
        for (uint64_t number = 0; number < bytes / line; ++number) flush(core, number);
    }
    bool is_right(const Values& expected) const { return is_right_ && memory_ == expected; }

private:
    struct Line {
        std::array<int, line> values;
        bool dirty = false;
    };
    Line& line_of(uint32_t core, uint64_t at) {
        const auto [found, is_new] = lines_[core].try_emplace(at / line);
        if (is_new) std::copy_n(memory_.begin() + at / line * line, line, found->second.values.begin());
        return found->second;
    }
    void flush(uint32_t core, uint64_t number) {
        const auto found = lines_[core].find(number);
        if (found == lines_[core].end()) return;
        if (found->second.dirty) std::copy_n(found->second.values.begin(), line, memory_.begin() + number * line);
        lines_[core].erase(found);
    }

    Values memory_{};
    std::map<uint64_t, Line> lines_[2];
    bool is_right_ = true;
};

// True if what is read, and what memory has in the end, is as without caches.
template <typename Evicts>
bool goes_right(const std::vector<Step>& steps, uint32_t ends_first, Evicts&& evicts) {
    Caches caches;
    Values expected{};
    int value = 0;
    for (const Step& step : steps) {
        if (step.kind == Step::Kind::write) std::fill(&expected[step.begin], &expected[0] + step.end, ++value);
        caches.step(step, value, expected, evicts);
    }
    caches.end(ends_first);
    caches.end(1 - ends_first);
    return caches.is_right(expected);
}

// The same for caches that keep their lines for as long as they may, and for some that lose them by chance.
bool goes_right(const std::vector<Step>& steps, std::mt19937& random, int tries) {
    const auto never = [] { return false; };
    if (!goes_right(steps, 0, never) || !goes_right(steps, 1, never)) return false;
    for (int each = 0; each < tries; ++each) {
        if (!goes_right(steps, random() % 2, [&] { return random() % 4 == 0; })) return false;
    }
    return true;
}

std::string as_text(const std::vector<Step>& steps) {
    std::string text;
    for (const Step& step : steps) {
        static const char* const kinds[] = {" writes ", " reads ", " flushes "};
        text += "core " + std::to_string(step.core) + (step.copied ? ", copying," : "") +
                kinds[static_cast<int>(step.kind)] + std::to_string(step.begin) + " to " + std::to_string(step.end) +
                "; ";
    }
    return text;
}

}  // namespace

TEST(CoherenceSearch, AgreesWithAModelOfCaches) {
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    uint32_t right = 0, wrong = 0, healed = 0;
    for (int round = 0; round < 3000; ++round) {
        MadeUpRun run(bytes);
        TurnTaking turns(&run);
        const bool copies[] = {random() % 4 == 0, random() % 4 == 0};
        std::vector<Step> steps;
        uint32_t core = 0;
        for (uint32_t count = 1 + random() % 8; count > 0; --count) {
            if (random() % 2 == 0) core = 1 - core;
            turns.take_turn(core);
            const uint64_t begin = random() % (2 * line), end = begin + 1 + random() % 80;
            const auto kind = static_cast<Step::Kind>(std::min<uint32_t>(2, random() % 4));
            if (kind == Step::Kind::flush) {
                turns.flush(begin / line * line, (end + line - 1) / line * line);
            } else {
                turns.use(begin, end, kind == Step::Kind::write ? Action::write : Action::read, copies[core]);
            }
            steps.push_back({kind, core, begin, end, copies[core]});
        }
        const bool is_right = find(run, turns.flushes()).empty();
        const bool goes = goes_right(steps, random, is_right ? 20 : 2000);
        EXPECT_TRUE(goes || !is_right) << "round " << round << ": " << as_text(steps);
        ++(is_right ? right : goes ? healed : wrong);
    }
    EXPECT_GT(right, 100u);
    EXPECT_GT(wrong, 100u);
    // What was lost may have been written again before anybody looked.
    EXPECT_LT(healed * 20, wrong);
}

TEST(CoherenceSearch, TasksWithoutAPathMustNotWriteToOneLine) {
    for (const bool copied : {false, true}) {
        for (const bool ordered : {false, true}) {
            MadeUpRun run(bytes);
            run.order.add_nodes(2);
            if (ordered) run.add_edge(0, 1);
            const uint32_t buffer = run.add_buffer();
            run.use(buffer, run.add_segment(0), 0, 80, Action::write, AtomicUse::load, copied);
            run.use(buffer, run.add_segment(1), 80, 128, Action::write, AtomicUse::load, copied);
            const std::vector<Incoherence> found = find(run);
            ASSERT_EQ(found.size(), copied || ordered ? 0u : 1u);
            if (found.empty()) continue;
            EXPECT_STREQ(found[0].what, "shared_line");
            EXPECT_EQ(found[0].begin, base + 64);
            EXPECT_EQ(found[0].end, base + 128);
        }
    }
}

TEST(CoherenceSearch, ABlockCopyDoesNotSaveWhatAnotherWritesBack) {
    MadeUpRun run(bytes);
    run.order.add_nodes(2);
    const uint32_t buffer = run.add_buffer();
    run.use(buffer, run.add_segment(0), 0, 80, Action::write);
    run.use(buffer, run.add_segment(1), 80, 128, Action::write, AtomicUse::load, true);
    EXPECT_EQ(find(run).size(), 1u);
}

TEST(CoherenceSearch, TheSameBytesAreARaceAndNotItsMatter) {
    MadeUpRun run(bytes);
    run.order.add_nodes(2);
    const uint32_t buffer = run.add_buffer();
    for (const uint32_t node : {0u, 1u}) run.use(buffer, run.add_segment(node), 0, 8, Action::write);
    EXPECT_TRUE(find(run).empty());
}

TEST(CoherenceSearch, ReadersShareLines) {
    MadeUpRun run(bytes);
    run.order.add_nodes(2);
    const uint32_t buffer = run.add_buffer();
    run.use(buffer, run.add_segment(0), 0, 8, Action::write);
    run.use(buffer, run.add_segment(1), 8, 16, Action::read);
    EXPECT_TRUE(find(run).empty());
}

TEST(CoherenceSearch, BlocksOfATaskMustNotWriteToOneLine) {
    MadeUpRun run(bytes);
    run.order.add_nodes(1);
    const uint32_t buffer = run.add_buffer();
    for (const int block : {0, 1, 2, 3}) {
        const auto begin = static_cast<uint64_t>(block) * 32;
        run.use(buffer, run.add_segment(0, block), begin, begin + 32, Action::write);
    }
    const std::vector<Incoherence> found = find(run);
    EXPECT_EQ(found.size(), 2u);
    for (const Incoherence& each : found) EXPECT_STREQ(each.what, "shared_line");
}

}  // namespace chiphost::check

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include "graph/choices.h"
#include "random.h"

namespace chiphost::platform {

// The detail in which an order is chosen.
enum class Level : uint8_t {
    steps,  // every step of every processor
    tasks   // which task runs next. A task runs as soon as it is started, and all else happens in turn
};

// At the level of tasks, the name of a core that may go on with dispatch `number`, beside the ids of tasks.
constexpr uint64_t core_event(uint32_t core, uint32_t number) {
    return uint64_t{1} << 63 | uint64_t{number} << 8 | core;
}

// One thing that is to be chosen.
struct Decision {
    graph::Choice what;
    uint32_t count;  // of options, at least 2; the first is what happens in the default order
    // Their names (graph/choices.h); nullptr for processors if the oracle does not want them. At the level of tasks the
    // names of processors are core_event(), and there are some among the tasks: cores that have a kernel to go on with.
    const uint64_t* options;
};

// Makes the choices of the sequential engine. Used by one thread at a time.
class Oracle {
public:
    Oracle(Level level, bool wants_names) : level_(level), wants_names_(wants_names) {}
    virtual ~Oracle() = default;
    Oracle(const Oracle&) = delete;
    Oracle& operator=(const Oracle&) = delete;

    // Returns the index of an option.
    virtual uint32_t choose(const Decision& decision) = 0;

    // Hears of a choice with one option only, if it wants names.
    virtual void forced(const Decision&) {}

    Level level() const { return level_; }
    bool wants_names() const { return wants_names_; }

private:
    const Level level_;
    const bool wants_names_;
};

// Chooses every option with the same probability, but pauses and puts off only once in four times, so that runs come to
// their end. Equal seeds make equal choices.
class RandomOracle final : public Oracle {
public:
    explicit RandomOracle(uint64_t seed, Level level = Level::steps) : Oracle(level, false), state_(seed) {}
    uint32_t choose(const Decision& decision) override;
    // Begins again with another seed.
    void begin(uint64_t seed) { state_ = seed; }

private:
    uint32_t below(uint32_t count) { return static_cast<uint32_t>((next_random(&state_) >> 32) * count >> 32); }

    uint64_t state_;
};

}  // namespace chiphost::platform

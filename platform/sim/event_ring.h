// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>
#include <string.h>

#include <atomic>
#include <string>

#include "graph/core_protocol.h"
#include "graph/kernel_names.h"

namespace chiphost::platform {

// The last events of a launch, for the report of one that does not end. Adding one is cheap: what a core answers is a
// number, and the task of it is looked up when the text is made.
//
// Threads: any may add; the text is made when nobody does any more.
class EventRing {
public:
    static constexpr uint32_t kept_max = 256;

    // `several`: more than one thread adds.
    explicit EventRing(bool several) : several_(several) {}

    // The AICPU has written DATA_MAIN_BASE. `payloads` are those of the launch; they may be null.
    void main_base(const core_protocol::Payload* payloads, uint32_t core, uint32_t thread, uint32_t value) {
        Event& event = next();
        event.task.store(payloads ? about(payloads[core * 2 + (value & 1)]) : 0, std::memory_order_relaxed);
        event.who.store(uint64_t{value} << 32 | core << 16 | thread << 8 | by_aicpu, std::memory_order_relaxed);
    }
    // A core has written COND.
    void cond(uint32_t core, uint32_t value) {
        next().who.store(uint64_t{value} << 32 | core << 16 | by_core, std::memory_order_relaxed);
    }
    // A core has told its cluster that something has changed.
    void handed_over(uint32_t core) { next().who.store(core << 16 | hand_over, std::memory_order_relaxed); }

    // One line an event, the oldest first; it says how many there were before.
    std::string text(const graph::KernelNames& names) const;

private:
    enum What : uint8_t { by_aicpu, by_core, hand_over };

    struct Event {
        std::atomic<uint64_t> task;  // of what the AICPU has written
        std::atomic<uint64_t> who;   // the value, 32 bits; the core, 16; the thread, 8; What, 8
    };

    // What a payload says of its task, in one word: the fields from `status` to `submission`.
    static uint64_t about(const core_protocol::Payload& payload) {
        static_assert(offsetof(core_protocol::Payload, context) - offsetof(core_protocol::Payload, status) == 8);
        uint64_t word = 0;
        memcpy(&word, &payload.status, sizeof word);
        return word;
    }

    Event& next() {
        uint64_t number = 0;
        if (several_) {
            number = count_.fetch_add(1, std::memory_order_relaxed);
        } else {
            number = count_.load(std::memory_order_relaxed);
            count_.store(number + 1, std::memory_order_relaxed);
        }
        return events_[number % kept_max];
    }

    std::string line(uint64_t number, uint64_t first, const graph::KernelNames& names) const;
    std::string dispatch_text(uint64_t number, uint64_t first, uint64_t core, uint32_t dispatch,
                              const graph::KernelNames& names) const;

    const bool several_;
    std::atomic<uint64_t> count_{0};
    Event events_[kept_max];
};

}  // namespace chiphost::platform

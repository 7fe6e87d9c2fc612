// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>
#include <string.h>

#include <atomic>
#include <string>

#include "graph/core_protocol.h"
#include "graph/kernel_names.h"

namespace chiphost::platform {

// The last events of a launch, for the report of one that does not end. They are always kept: adding one is a look at
// the payload and two writes.
//
// Threads: any may add; the text is made when nobody does any more.
class EventRing {
public:
    static constexpr uint32_t kept_max = 256;

    enum class Kind : uint8_t { dispatched, taken, finished, told_to_exit, exited, handed_over };

    // `several`: more than one thread adds.
    explicit EventRing(bool several) : several_(several) {}

    // The AICPU has written DATA_MAIN_BASE, or a core COND. `payloads` are those of the launch.
    void main_base(const core_protocol::Payload* payloads, uint32_t core, uint32_t thread, uint32_t value) {
        if (value == core_protocol::main_base_exit) return add(Kind::told_to_exit, core, thread, 0);
        if (value <= core_protocol::dispatch_max) add(Kind::dispatched, core, thread, about(payloads, core, value));
    }
    void cond(const core_protocol::Payload* payloads, uint32_t core, uint32_t value) {
        if (value == core_protocol::cond_exited) return add(Kind::exited, core, 0, 0);
        const uint32_t number = value & ~core_protocol::cond_finish_bit;
        if (number > core_protocol::dispatch_max) return;
        add(value == number ? Kind::taken : Kind::finished, core, 0, about(payloads, core, number));
    }
    void handed_over(uint32_t core) { add(Kind::handed_over, core, 0, 0); }

    // One line an event, the oldest first; it says how many there were before.
    std::string text(const graph::KernelNames& names) const;

private:
    // What a payload says of its task, in one word: the fields from `status` to `submission`.
    static uint64_t about(const core_protocol::Payload* payloads, uint32_t core, uint32_t number) {
        static_assert(offsetof(core_protocol::Payload, context) - offsetof(core_protocol::Payload, status) == 8);
        uint64_t word = 0;
        if (payloads) memcpy(&word, &payloads[core * 2 + (number & 1)].status, sizeof word);
        return word & ~uint64_t{0xFF};  // without the status, which the core writes
    }

    void add(Kind kind, uint32_t core, uint32_t thread, uint64_t task) {
        uint64_t number = 0;
        if (several_) {
            number = count_.fetch_add(1, std::memory_order_relaxed);
        } else {
            number = count_.load(std::memory_order_relaxed);
            count_.store(number + 1, std::memory_order_relaxed);
        }
        Event& event = events_[number % kept_max];
        event.task.store(task, std::memory_order_relaxed);
        event.who.store(uint64_t{core} << 16 | thread << 8 | static_cast<uint8_t>(kind), std::memory_order_relaxed);
    }

    struct Event {
        std::atomic<uint64_t> task;
        std::atomic<uint64_t> who;
    };

    const bool several_;
    std::atomic<uint64_t> count_{0};
    Event events_[kept_max];
};

}  // namespace chiphost::platform

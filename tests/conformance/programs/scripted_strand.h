// SPDX-License-Identifier: Apache-2.0
//
// The strand of a launch: code that pauses on a stack of its own.
#pragma once

#include <stdint.h>

#include <atomic>

#include "chiphost/platform/aicpu.h"
#include "conformance/script.h"
#include "launch_memory.h"

namespace chiphost::conformance {

// The time that a strand that cannot pause waits for the end of its launch before it gives the thread back: less than a
// launch may take to end.
constexpr uint64_t strand_patience_ns = 250'000'000;

class ScriptedStrand {
public:
    ScriptedStrand(Script& script, const std::atomic<bool>& stopping) : script_(script), stopping_(stopping) {}

    // True: the strand has returned.
    bool run(platform::AicpuPort* port) {
        if (script_.strand_ended) return true;
        port_inside_ = port;
        return resume(port);
    }

    // No strand may be left running, except one that is to be abandoned.
    void finish() {
        while (port_inside_ && script_.work != Work::abandon_strand && !resume(port_inside_)) {
        }
    }

private:
    bool resume(platform::AicpuPort* port) {
        ++script_.resumes;
        port_ = port;
        const bool returned =
            platform::resume_strand(port, [](void* self) { static_cast<ScriptedStrand*>(self)->body(); }, this);
        if (returned) port_inside_ = nullptr;
        return returned;
    }

    // Its variables are on its stack.
    void body() {
        volatile uint64_t kept[strand_words];
        for (uint32_t i = 0; i < strand_words; ++i) kept[i] = argument(1, i);
        script_.strand_stack = reinterpret_cast<uint64_t>(kept);
        const bool for_ever = script_.work != Work::strand;
        const uint64_t begun_ns = now_ns();
        for (uint32_t round = 0; for_ever || round < script_.rounds; ++round) {
            if (platform::pause_strand(port_)) {
                ++script_.pauses;
            } else if (now_ns() - begun_ns > strand_patience_ns) {
                break;  // no other code runs while it waits: the thread has to be given back
            }
            if (stopping_.load(std::memory_order_acquire)) break;
        }
        check_words(kept);
        // The stack that an abandoned strand has left must be unchanged.
        if (script_.abandoned_stack != 0) check_words(at<const volatile uint64_t>(script_.abandoned_stack));
        if (script_.abandoned_stack == script_.strand_stack) script_.strand_bad = 1;
        script_.strand_ended = 1;
    }

    void check_words(const volatile uint64_t* words) {
        for (uint32_t i = 0; i < strand_words; ++i) {
            if (words[i] != argument(1, i)) script_.strand_bad = 1;
        }
    }

    Script& script_;
    const std::atomic<bool>& stopping_;
    platform::AicpuPort* port_inside_ = nullptr;  // the port of the strand's thread, until the strand has returned
    platform::AicpuPort* port_ = nullptr;         // the port of the thread that resumed the strand last
};

}  // namespace chiphost::conformance

// SPDX-License-Identifier: Apache-2.0
#include "event_ring.h"

#include <algorithm>

namespace chiphost::platform {

using namespace core_protocol;

namespace {

std::string task_text(const graph::KernelNames& names, uint64_t about) {
    Payload payload;
    memcpy(static_cast<void*>(&payload.status), &about, sizeof about);
    return std::string(names.kernel(payload.func_id).text) + " of submit #" + std::to_string(payload.submission);
}

}  // namespace

// Names the task of a dispatch by the event before `number` that began it; by its number if that is not kept any more.
std::string EventRing::dispatch_text(uint64_t number, uint64_t first, uint64_t core, uint32_t dispatch,
                                     const graph::KernelNames& names) const {
    while (number-- > first) {
        const Event& event = events_[number % kept_max];
        const uint64_t who = event.who.load(std::memory_order_relaxed);
        if ((who & 0xFF) == by_aicpu && (who >> 16 & 0xFFFF) == core && who >> 32 == dispatch) {
            return task_text(names, event.task.load(std::memory_order_relaxed));
        }
    }
    return "its dispatch " + std::to_string(dispatch);
}

std::string EventRing::line(uint64_t number, uint64_t first, const graph::KernelNames& names) const {
    const Event& event = events_[number % kept_max];
    const uint64_t who = event.who.load(std::memory_order_relaxed);
    const auto value = static_cast<uint32_t>(who >> 32);
    const uint64_t core = who >> 16 & 0xFFFF;
    const std::string core_text = "core " + std::to_string(core);
    if ((who & 0xFF) == hand_over) return core_text + " tells its cluster that something has changed";
    if ((who & 0xFF) == by_aicpu) {
        const std::string thread = "AICPU thread " + std::to_string(who >> 8 & 0xFF);
        if (value == main_base_exit) return thread + " tells " + core_text + " to exit";
        if (value == main_base_idle) return thread + " opens the registers of " + core_text;
        return thread + " gives " + core_text + " " + task_text(names, event.task.load(std::memory_order_relaxed));
    }
    if (value == cond_idle) return core_text + " is ready";
    if (value == cond_exited) return core_text + " has exited";
    const bool finished = (value & cond_finish_bit) != 0;
    return core_text + (finished ? " has finished " : " begins ") +
           dispatch_text(number, first, core, value & ~cond_finish_bit, names);
}

std::string EventRing::text(const graph::KernelNames& names) const {
    const uint64_t count = count_.load(std::memory_order_relaxed);
    const uint64_t first = count - std::min<uint64_t>(count, kept_max);
    std::string text = "the last " + std::to_string(count - first) + " of " + std::to_string(count) + " events:\n";
    for (uint64_t number = first; number < count; ++number) {
        text += "  " + std::to_string(number) + ": " + line(number, first, names) + "\n";
    }
    return text;
}

}  // namespace chiphost::platform

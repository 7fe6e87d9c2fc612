// SPDX-License-Identifier: Apache-2.0
#include "event_ring.h"

#include <algorithm>

namespace chiphost::platform {

namespace {

std::string task_text(const graph::KernelNames& names, uint64_t about) {
    core_protocol::Payload payload;
    memcpy(static_cast<void*>(&payload.status), &about, sizeof about);
    return std::string(names.kernel(payload.func_id).text) + " of submit #" + std::to_string(payload.submission);
}

std::string line_of(EventRing::Kind kind, uint64_t core, uint64_t thread, const std::string& task) {
    const std::string number = std::to_string(core);
    switch (kind) {
        case EventRing::Kind::dispatched:
            return "AICPU thread " + std::to_string(thread) + " gives core " + number + " " + task;
        case EventRing::Kind::taken:
            return "core " + number + " begins " + task;
        case EventRing::Kind::finished:
            return "core " + number + " has finished " + task;
        case EventRing::Kind::told_to_exit:
            return "AICPU thread " + std::to_string(thread) + " tells core " + number + " to exit";
        case EventRing::Kind::exited:
            return "core " + number + " has exited";
        case EventRing::Kind::handed_over:
            return "core " + number + " tells its cluster that something has changed";
    }
    return {};
}

}  // namespace

std::string EventRing::text(const graph::KernelNames& names) const {
    const uint64_t count = count_.load(std::memory_order_relaxed);
    const uint64_t first = count - std::min<uint64_t>(count, kept_max);
    std::string text = "the last " + std::to_string(count - first) + " of " + std::to_string(count) + " events:\n";
    for (uint64_t number = first; number < count; ++number) {
        const Event& event = events_[number % kept_max];
        const uint64_t who = event.who.load(std::memory_order_relaxed);
        text += "  " + std::to_string(number) + ": " +
                line_of(static_cast<Kind>(who & 0xFF), who >> 16, who >> 8 & 0xFF,
                        task_text(names, event.task.load(std::memory_order_relaxed))) +
                "\n";
    }
    return text;
}

}  // namespace chiphost::platform

// SPDX-License-Identifier: Apache-2.0
#include "waits.h"

#include <stdio.h>

#include <algorithm>

#include "chiphost/abi/device_tensor.h"
#include "graph/orchestration.h"

namespace chiphost::platform {

namespace {

// Memory that a kernel was given, and that a kernel may have written.
struct Range {
    uint64_t begin;
    uint64_t bytes;
};

template <typename T>
const T* at(uint64_t address) {
    return reinterpret_cast<const T*>(address);
}

// The index of a task that has not completed; graph::none: the launch has no such task.
uint32_t index_of(const graph::Image& image, int64_t id) {
    const auto number = static_cast<uint32_t>(id);
    if (image.orchestration == 0) return number < image.task_count ? number : graph::none;
    const auto ring = static_cast<uint64_t>(id) >> 32;
    if (id < 0 || ring >= graph::ring_count) return graph::none;
    const graph::Ring& sizes = at<graph::Orchestration>(image.orchestration)->rings[ring];
    return sizes.first_slot + (number & (sizes.window - 1));
}

// True if the word may be an address of device memory that is no description of a tensor.
bool is_pointer(uint64_t word) {
    return word >> 32 != 0 && word >> 47 == 0;
}

std::vector<Range> memory_of(const core_protocol::Payload& payload, const graph::Image& image) {
    const uint32_t index = index_of(image, payload.context.task);
    std::vector<Range> ranges;
    if (index == graph::none) return ranges;
    const graph::Task& task = at<graph::Task>(image.tasks)[index];
    const auto is_tensor = [&](uint32_t arg) {
        if (image.orchestration != 0) {
            return arg < at<graph::Slot>(at<graph::Orchestration>(image.orchestration)->slots)[index].tensor_count;
        }
        return payload.args[arg] - image.tensors < image.tensor_count * sizeof(ch_device_tensor);
    };
    for (uint32_t arg = 0; task.id == payload.context.task && arg < task.arg_count; ++arg) {
        if (is_tensor(arg)) {
            const auto& tensor = *at<ch_device_tensor>(payload.args[arg]);
            if (!(tensor.flags & CH_TENSOR_READ_ONLY)) ranges.push_back({tensor.buffer, tensor.buffer_bytes});
        } else if (image.orchestration == 0 && is_pointer(payload.args[arg])) {
            ranges.push_back({payload.args[arg], 1});
        }
    }
    return ranges;
}

bool overlap(const std::vector<Range>& some, const std::vector<Range>& others) {
    for (const Range& one : some) {
        for (const Range& other : others) {
            if (one.begin < other.begin + other.bytes && other.begin < one.begin + one.bytes) return true;
        }
    }
    return false;
}

// " at [func_id 5+0x11f2,0x1200]", or nothing if the kernel has not said where.
std::string place_of(const AicorePort& port) {
    const CoreServices& services = port.services;
    if (services.wait_depth == 0) return {};
    std::string text = " at [func_id " + std::to_string(port.paused->func_id) + "+";
    for (uint32_t i = 0; i < services.wait_depth; ++i) {
        char address[24];
        snprintf(address, sizeof address, "%s0x%llx", i == 0 ? "" : ",",
                 static_cast<unsigned long long>(services.waits_at[i]));
        text += address;
    }
    return text + "]";
}

// The cores of its task that a waiting core waits for.
std::vector<uint32_t> partners_of(const AicorePort& port, uint32_t clusters) {
    // A task of one core has the bit of the first AIV, on whichever it runs.
    if ((port.paused->cores & (port.paused->cores - 1)) == 0) return {};
    const uint32_t cluster = core_protocol::cluster_of(port.core, clusters);
    const uint32_t cores[] = {cluster, clusters + 2 * cluster, clusters + 2 * cluster + 1};
    const uint32_t said = port.services.waited_for & port.paused->cores;
    const uint32_t wanted = said ? said : port.paused->cores;
    std::vector<uint32_t> partners;
    for (uint32_t bit = 0; bit < 3; ++bit) {
        if ((wanted & (1u << bit)) && cores[bit] != port.core) partners.push_back(cores[bit]);
    }
    return partners;
}

std::string core_text(uint32_t core) {
    return "core " + std::to_string(core);
}

}  // namespace

Waits::Waits(const std::vector<AicorePort>& ports, const graph::Image& image, bool stalled)
    : ports_(ports), stalled_(stalled), waits_(ports.size()) {
    std::vector<std::vector<Range>> memory(ports.size());
    for (const AicorePort& port : ports) {
        if (!port.paused) continue;
        waits_[port.core].partners = partners_of(port, static_cast<uint32_t>(ports.size() / 3));
        memory[port.core] = memory_of(*port.paused, image);
    }
    for (const AicorePort& port : ports) {
        if (!port.paused) continue;
        Wait& wait = waits_[port.core];
        const auto waits = [&](uint32_t partner) { return waits_with(port.core, partner); };
        if (port.services.waited_for != 0 || std::any_of(wait.partners.begin(), wait.partners.end(), waits)) continue;
        for (const AicorePort& other : ports) {
            if (!other.paused || other.core == port.core) continue;
            if (overlap(memory[port.core], memory[other.core])) wait.sharers.push_back(other.core);
        }
    }
}

bool Waits::waits_with(uint32_t core, uint32_t partner) const {
    return ports_[partner].paused && ports_[partner].paused->submission == ports_[core].paused->submission;
}

std::string Waits::line(uint32_t core, const graph::KernelNames& names) const {
    const AicorePort& port = ports_[core];
    const Wait& wait = waits_[core];
    std::string text = core_text(core) + " waits in " + names.kernel(port.paused->func_id).text + " of submit #" +
                       std::to_string(port.paused->submission) + place_of(port);
    const char* before = " for ";
    for (const uint32_t partner : wait.partners) {
        text += before + core_text(partner);
        text += waits_with(core, partner) ? ", which waits"
                : stalled_                ? ", whose kernel has returned"
                                          : ", which does not wait";
        before = " or ";
    }
    if (wait.partners.empty() && wait.sharers.empty()) return text + ", alone in its task";
    constexpr size_t named_max = 4;
    for (size_t i = 0; i < wait.sharers.size() && i < named_max; ++i) {
        text += before + core_text(wait.sharers[i]) + ", which waits and uses the same memory";
        before = " or ";
    }
    if (wait.sharers.size() > named_max) text += " (and " + std::to_string(wait.sharers.size() - named_max) + " more)";
    return text;
}

std::vector<std::string> Waits::lines(const graph::KernelNames& names) const {
    std::vector<std::string> lines;
    for (const AicorePort& port : ports_) {
        if (port.paused) lines.push_back(line(port.core, names));
    }
    return lines;
}

// From a core to what it waits for, and so on, each once. The last element is the core that comes a second time, or
// `none` if the path ends at one that does not wait for another.
std::vector<uint32_t> Waits::path_from(uint32_t core) const {
    std::vector<uint32_t> path{core};
    const auto is_on_path = [&](uint32_t other) { return std::find(path.begin(), path.end(), other) != path.end(); };
    for (;;) {
        // One that is not on the path yet: where all wait for all, the cycle is to have all of them.
        uint32_t next = none;
        for (const auto* cores : {&waits_[path.back()].partners, &waits_[path.back()].sharers}) {
            for (const uint32_t other : *cores) {
                if (cores == &waits_[path.back()].partners && !waits_with(path.back(), other)) continue;
                if (next == none || (is_on_path(next) && !is_on_path(other))) next = other;
            }
        }
        const bool again = next != none && is_on_path(next);
        path.push_back(next);
        if (next == none || again) return path;
    }
}

std::vector<std::string> Waits::cycles() const {
    std::vector<std::string> cycles;
    std::vector<bool> seen(ports_.size());
    for (const AicorePort& port : ports_) {
        if (!port.paused || seen[port.core]) continue;
        const std::vector<uint32_t> path = path_from(port.core);
        const bool is_new = std::none_of(path.begin(), path.end() - 1, [&](uint32_t core) { return seen[core]; });
        for (size_t i = 0; i + 1 < path.size(); ++i) seen[path[i]] = true;
        if (path.back() == none || !is_new) continue;
        std::string text = "a cycle: ";
        for (auto at = std::find(path.begin(), path.end(), path.back()); at != path.end(); ++at) {
            text += core_text(*at) + (at + 1 == path.end() ? "" : " -> ");
        }
        cycles.push_back(text);
    }
    return cycles;
}

std::string Waits::chain_from(uint32_t core) const {
    if (core >= ports_.size() || !ports_[core].paused) return {};
    const std::vector<uint32_t> path = path_from(core);
    std::string text;
    for (size_t i = 1; i < path.size() && path[i] != none; ++i) text += ", which waits for " + core_text(path[i]);
    if (path.back() != none) return text + ": a cycle";
    const std::vector<uint32_t>& partners = waits_[path[path.size() - 2]].partners;
    if (!stalled_ || partners.empty()) return text;
    return text + ", which waits for " + core_text(partners.front()) + ", whose kernel has returned";
}

}  // namespace chiphost::platform

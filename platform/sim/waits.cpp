// SPDX-License-Identifier: Apache-2.0
#include "waits.h"

#include <stdio.h>

namespace chiphost::platform {

namespace {

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

// The other cores of the task that a waiting core has.
std::vector<uint32_t> partners_of(const AicorePort& port, uint32_t clusters) {
    const uint32_t cluster = core_protocol::cluster_of(port.core, clusters);
    const uint32_t cores[] = {cluster, clusters + 2 * cluster, clusters + 2 * cluster + 1};
    std::vector<uint32_t> partners;
    for (uint32_t bit = 0; bit < 3; ++bit) {
        if ((port.paused->cores & (1u << bit)) && cores[bit] != port.core) partners.push_back(cores[bit]);
    }
    return partners;
}

bool waits_in_same_task(const AicorePort& port, const AicorePort& other) {
    return other.paused && other.paused->submission == port.paused->submission;
}

}  // namespace

std::vector<std::string> describe_waits(const std::vector<AicorePort>& ports, const graph::KernelNames& names,
                                        bool stalled) {
    const auto clusters = static_cast<uint32_t>(ports.size() / 3);
    std::vector<std::string> lines;
    std::vector<std::string> cycles;
    for (const AicorePort& port : ports) {
        if (!port.paused) continue;
        std::string line = "core " + std::to_string(port.core) + " waits in " +
                           names.kernel(port.paused->func_id).text + " of submit #" +
                           std::to_string(port.paused->submission) + place_of(port);
        for (const uint32_t partner : partners_of(port, clusters)) {
            const std::string number = std::to_string(partner);
            const bool waits = waits_in_same_task(port, ports[partner]);
            line += (line.find(" for core ") == std::string::npos ? " for core " : " or core ") + number;
            line += waits ? ", which waits" : stalled ? ", whose kernel has returned" : ", which does not wait";
            if (waits && port.core < partner) {
                const std::string own = std::to_string(port.core);
                cycles.push_back("a cycle: core " + own + " -> core " + number + " -> core " + own);
            }
        }
        lines.push_back(line);
    }
    lines.insert(lines.end(), cycles.begin(), cycles.end());
    return lines;
}

}  // namespace chiphost::platform

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <tuple>

#include "chiphost/abi/host_runtime.h"
#include "chiphost/isolate/strategy.h"

namespace chiphost::worker {

// The facts that a runtime tells about itself, and its isolation.
struct RuntimeInfo {
    std::string runtime;
    std::string arch;
    std::string platform;
    std::string version;
    isolate::Strategy strategy;
    ch_chip chip;

    auto key() const {
        return std::tie(runtime, arch, platform, version, strategy, chip.clusters, chip.aicpu_threads,
                        chip.memory_bytes);
    }
    bool operator<(const RuntimeInfo& other) const { return key() < other.key(); }
};

// An equal record that lives as long as the process: there are few, and whoever reads one needs no lock, also when the
// runtime is unloaded meanwhile. Thread-safe.
const RuntimeInfo& keep(const RuntimeInfo& info);

}  // namespace chiphost::worker

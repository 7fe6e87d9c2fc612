// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <tuple>

#include "chiphost/abi/host_runtime.h"
#include "chiphost/isolate/strategy.h"

namespace chiphost::worker {

// What a runtime says of itself, and how it is isolated.
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

// The one that is equal and lives as long as the process: there are few, and whoever reads it needs no lock, also when
// the runtime is unloaded meanwhile. Thread-safe.
const RuntimeInfo& keep(const RuntimeInfo& info);

}  // namespace chiphost::worker

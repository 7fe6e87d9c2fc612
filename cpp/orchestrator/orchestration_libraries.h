// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include "chiphost/abi/device_orchestration.h"
#include "chiphost/abi/error.h"
#include "chiphost/platform/aicpu.h"
#include "graph/orchestration.h"
#include "status/status.h"

namespace chiphost::orchestrator {

// The orchestrations that this AICPU program has loaded: kept for the next run, the least recently used closed. A
// warm get() does not need the dynamic loader. Used by one thread at a time. The functions it returns are valid until
// the next get(), close_all() or its end.
class OrchestrationLibraries {
public:
    static constexpr uint32_t kept_max = 8;

    OrchestrationLibraries() = default;
    ~OrchestrationLibraries() { close_all(); }
    OrchestrationLibraries(const OrchestrationLibraries&) = delete;
    OrchestrationLibraries& operator=(const OrchestrationLibraries&) = delete;

    Status get(platform::AicpuPort* port, const graph::Orchestration& orchestration, ch_device_orchestration* out_entry,
               ch_error* out_error);
    void close_all();

private:
    struct Library {
        void* handle = nullptr;  // nullptr: the place is free
        uint64_t last_use = 0;
        char key[graph::key_bytes] = {};
        ch_device_orchestration function = nullptr;  // the last that was asked for
        char entry[graph::name_bytes] = {};          // its name
    };

    Library& find_or_make_room(platform::AicpuPort* port, const char* key);

    Library libraries_[kept_max];
    uint64_t uses_ = 0;
};

}  // namespace chiphost::orchestrator

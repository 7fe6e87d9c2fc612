// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "chiphost/abi/anchor.h"
#include "chiphost/abi/host_orchestration.h"
#include "host/runtime.h"
#include "status/status.h"

namespace chiphost::host_build_graph {

// An orchestration that runs on the host. Its library stays loaded as long as its callable does.
class HostOrchestration final : public host::Orchestration {
public:
    // The anchor is borrowed.
    HostOrchestration(const ch_anchor* anchor, void* anchor_state) : anchor_(anchor), anchor_state_(anchor_state) {}
    ~HostOrchestration() override;

    // Loads the library and finds the callable's entry. CH_ENTRY_MISSING, CH_ABI_MISMATCH, and what the anchor says of
    // files.
    Status load(const ch_callable& callable, ch_error* out_error);

    ch_host_orchestration entry() const { return entry_; }
    const std::string& name() const { return name_; }  // for messages

private:
    void* find(const char* symbol) const;

    const ch_anchor* const anchor_;
    void* const anchor_state_;
    ch_library* library_ = nullptr;
    ch_host_orchestration entry_ = nullptr;
    std::string name_;
};

}  // namespace chiphost::host_build_graph

// SPDX-License-Identifier: Apache-2.0
#include "host_orchestration.h"

#include "status/abi_check.h"
#include "status/report.h"

namespace chiphost::host_build_graph {

HostOrchestration::~HostOrchestration() {
    if (library_) anchor_->close_library(anchor_state_, library_, nullptr);
}

Status HostOrchestration::load(const ch_callable& callable, ch_error* out_error) {
    ch_open_request request{};
    request.binary = callable.orchestration;
    request.out_library = &library_;
    CH_TRY(anchor_->open_library(anchor_state_, &request, out_error));
    const char* name = callable.orchestration.name;
    const auto* abi = static_cast<const ch_abi_header*>(find(CH_HOST_ORCHESTRATION_ABI));
    const Expected provided{CH_ABI_HOST_ORCHESTRATION, CH_HOST_ORCHESTRATION_MAJOR, CH_HOST_ORCHESTRATION_MINOR, 0, ""};
    CH_TRY(check_wanted(abi, CH_HOST_ORCHESTRATION_ABI, provided, name, out_error));
    entry_ = reinterpret_cast<ch_host_orchestration>(find(callable.entry));
    if (!entry_) return report(out_error, CH_ENTRY_MISSING, name, "wanted the function %s", callable.entry);
    name_ = std::string(callable.entry) + " of " + name;
    return CH_OK;
}

void* HostOrchestration::find(const char* symbol) const {
    void* address = nullptr;
    const ch_symbol_request request{library_, symbol, &address};
    anchor_->find_symbol(anchor_state_, &request, nullptr);
    return address;
}

}  // namespace chiphost::host_build_graph

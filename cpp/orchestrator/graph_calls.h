// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chiphost/abi/device_orchestration.h"

namespace chiphost::orchestrator {

// The table that an orchestration gets. The graph handle is an Orchestrator.
extern const ch_device_graph_ops graph_calls;

}  // namespace chiphost::orchestrator

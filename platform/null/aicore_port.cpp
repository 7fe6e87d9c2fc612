// SPDX-License-Identifier: Apache-2.0
//
// A core's half.
#include "chiphost/platform/aicore.h"
#include "unimplemented.h"

namespace chiphost::platform {

struct AicorePort {};

uint32_t physical_core(AicorePort*) {
    unimplemented("physical_core");
}

uint32_t read_main_base(AicorePort*) {
    unimplemented("read_main_base");
}

void write_cond(AicorePort*, uint32_t) {
    unimplemented("write_cond");
}

bool call_kernel(AicorePort*, core_protocol::Payload*) {
    unimplemented("call_kernel");
}

bool pause_after_ack(AicorePort*) {
    unimplemented("pause_after_ack");
}

}  // namespace chiphost::platform

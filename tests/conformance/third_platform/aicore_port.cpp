// SPDX-License-Identifier: Apache-2.0
#include "chiphost/platform/aicore.h"

#include <stdio.h>

#include <exception>

#include "register_file.h"

namespace chiphost::platform {

uint32_t physical_core(AicorePort* port) {
    return port->physical;
}

uint32_t read_main_base(AicorePort* port) {
    return port->registers->at(port->physical, Register::data_main_base);
}

void write_cond(AicorePort* port, uint32_t value) {
    port->registers->at(port->physical, Register::cond) = value;
    port->registers->something_happened = true;
}

bool call_kernel(AicorePort*, core_protocol::Payload* payload) {
    try {
        reinterpret_cast<void (*)(uint64_t*)>(payload->kernel)(payload->args);
    } catch (const std::exception& error) {
        payload->status = core_protocol::KernelStatus::threw;
        snprintf(payload->fault_text, sizeof payload->fault_text, "%s", error.what());
    } catch (...) {
        payload->status = core_protocol::KernelStatus::threw;
        snprintf(payload->fault_text, sizeof payload->fault_text, "an exception that is no std::exception");
    }
    return true;
}

bool pause_after_ack(AicorePort*) {
    return false;
}

}  // namespace chiphost::platform

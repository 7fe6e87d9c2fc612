// SPDX-License-Identifier: Apache-2.0
#include "chiphost/platform/aicore.h"

#include <stdio.h>

#include <exception>

#include "crew.h"

namespace chiphost::platform {

uint32_t physical_core(AicorePort* port) {
    return port->physical;
}

uint32_t read_main_base(AicorePort* port) {
    return read(port->registers, port->physical, Register::data_main_base);
}

void write_cond(AicorePort* port, uint32_t value) {
    write(port->registers, port->physical, Register::cond, value);
    static_cast<CorePort*>(port)->crew->wake_owner(port->physical);
}

bool call_kernel(AicorePort* port, core_protocol::Payload* payload) {
    const auto& self = *static_cast<CorePort*>(port);
    // If the kernel crashes, others see here which kernel it was.
    auto& lane = self.progress->lanes[0];
    __atomic_store_n(&lane.core, static_cast<int32_t>(self.core), __ATOMIC_RELAXED);
    __atomic_store_n(&lane.func_id, static_cast<int32_t>(payload->func_id), __ATOMIC_RELAXED);
    __atomic_store_n(&lane.task, payload->context.task, __ATOMIC_RELEASE);
    try {
        reinterpret_cast<void (*)(uint64_t*)>(payload->kernel)(payload->args);
    } catch (const std::exception& error) {
        payload->status = core_protocol::KernelStatus::threw;
        snprintf(payload->fault_text, sizeof payload->fault_text, "%s", error.what());
    } catch (...) {
        payload->status = core_protocol::KernelStatus::threw;
        snprintf(payload->fault_text, sizeof payload->fault_text, "an exception that is no std::exception");
    }
    __atomic_store_n(&lane.task, -1, __ATOMIC_RELAXED);
    return true;
}

bool pause_after_ack(AicorePort*) {
    return false;
}

}  // namespace chiphost::platform

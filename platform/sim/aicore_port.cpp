// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include <exception>

#include "random.h"
#include "sim_port.h"

namespace chiphost::platform {

uint32_t physical_core(AicorePort* port) {
    return port->physical;
}

uint32_t read_main_base(AicorePort* port) {
    return port->registers.at(port->physical, Register::data_main_base).load(std::memory_order_acquire);
}

void write_cond(AicorePort* port, uint32_t value) {
    port->registers.at(port->physical, Register::cond).store(value, std::memory_order_release);
    port->hooks->cond_written(port->hooks->engine, port->core, value);
}

bool pause_after_ack(AicorePort* port) {
    return port->random != 0 && next_random(&port->random) % 4 == 0;
}

void call_kernel(AicorePort* port, scheduler::Payload* payload) {
    using Kernel = void (*)(int64_t*);
    auto& lane = port->progress->lanes[port->lane];
    __atomic_store_n(&lane.core, static_cast<int32_t>(port->core), __ATOMIC_RELAXED);
    __atomic_store_n(&lane.func_id, static_cast<int32_t>(payload->func_id), __ATOMIC_RELAXED);
    __atomic_store_n(&lane.task, payload->task, __ATOMIC_RELEASE);
    if (port->hooks->kernel_entered) port->hooks->kernel_entered(port->hooks->engine, port->core, payload);
    try {
        reinterpret_cast<Kernel>(payload->kernel)(reinterpret_cast<int64_t*>(payload->args));
    } catch (const std::exception& error) {
        payload->status = scheduler::KernelStatus::threw;
        snprintf(payload->fault_text, sizeof payload->fault_text, "%s", error.what());
    } catch (...) {
        payload->status = scheduler::KernelStatus::threw;
        snprintf(payload->fault_text, sizeof payload->fault_text, "an exception that is no std::exception");
    }
    __atomic_store_n(&lane.task, -1, __ATOMIC_RELAXED);
}

}  // namespace chiphost::platform

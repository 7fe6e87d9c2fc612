// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include <exception>

#include "os/float_state.h"
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
    constexpr uint64_t options[] = {graph::go_on, graph::pause};
    if (const graph::Choices* choices = port->choices) {
        return choices->choose(choices->oracle, graph::Choice::acknowledgement, options, 2) == 1;
    }
    return port->random != 0 && next_random(&port->random) % 4 == 0;
}

namespace {

using Kernel = void (*)(int64_t*);

// Runs the kernel; on a fiber, if it may pause.
void run_kernel(void* argument) {
    auto* payload = static_cast<core_protocol::Payload*>(argument);
    try {
        reinterpret_cast<Kernel>(payload->kernel & ~kernel_pauses_bit)(reinterpret_cast<int64_t*>(payload->args));
    } catch (const std::exception& error) {
        payload->status = core_protocol::KernelStatus::threw;
        snprintf(payload->fault_text, sizeof payload->fault_text, "%s", error.what());
    } catch (...) {
        payload->status = core_protocol::KernelStatus::threw;
        snprintf(payload->fault_text, sizeof payload->fault_text, "an exception that is no std::exception");
    }
    os::FloatState().restore_quickly();  // the next kernel may be another one's
}

}  // namespace

bool call_kernel(AicorePort* port, core_protocol::Payload* payload) {
    port->enter(*payload);
    port->services.payload = payload;
    payload->context.services = reinterpret_cast<uint64_t>(&port->services);
    if (port->check) port->check->enter_kernel(port->check->checker, port->core, payload);
    bool returned = true;
    if (payload->kernel & kernel_pauses_bit) {
        if (!port->services.fiber->begun() && port->hooks->kernel_entered) {
            port->hooks->kernel_entered(port->hooks->engine, port->core, payload);
        }
        returned = port->services.fiber->resume(*port->stack, run_kernel, payload);
        port->paused = returned ? nullptr : payload;
    } else {
        if (port->hooks->kernel_entered) port->hooks->kernel_entered(port->hooks->engine, port->core, payload);
        run_kernel(payload);
    }
    if (port->check) port->check->leave_kernel(port->check->checker, port->core, returned);
    port->leave();
    return returned;
}

}  // namespace chiphost::platform

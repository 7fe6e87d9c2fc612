// SPDX-License-Identifier: Apache-2.0
//
// The AICore program's half of the stand-in chip.
#include <stdio.h>

#include <exception>

#include "standin_core.h"

namespace chiphost::platform {

namespace {

uint32_t* register_at(const AicorePort* port, Register which) {
    return reinterpret_cast<uint32_t*>(port->registers + chip.offset(which));
}

void fault(core_protocol::Payload* payload, const char* text) {
    payload->status = core_protocol::KernelStatus::threw;
    snprintf(payload->fault_text, sizeof payload->fault_text, "%s", text);
}

void run_kernel(void* argument) {
    auto* port = static_cast<AicorePort*>(argument);
    core_protocol::Payload* payload = port->services.payload;
    const auto kernel = port->find_kernel(payload->kernel);
    if (!kernel) {
        fault(payload, "there is no kernel at this address");
        return;
    }
    try {
        kernel(reinterpret_cast<int64_t*>(payload->args));
    } catch (const std::exception& error) {
        fault(payload, error.what());
    } catch (...) {
        fault(payload, "an exception that is no std::exception");
    }
}

}  // namespace

uint32_t physical_core(AicorePort* port) {
    return port->physical;
}

uint32_t read_main_base(AicorePort* port) {
    return __atomic_load_n(register_at(port, Register::data_main_base), __ATOMIC_ACQUIRE);
}

void write_cond(AicorePort* port, uint32_t value) {
    __atomic_store_n(register_at(port, Register::cond), value, __ATOMIC_RELEASE);
}

bool pause_after_ack(AicorePort*) {
    return false;
}

bool call_kernel(AicorePort* port, core_protocol::Payload* payload) {
    port->services.payload = payload;
    payload->context.services = reinterpret_cast<uint64_t>(static_cast<KernelServices*>(&port->services));
    return port->fiber.resume(port->stack, run_kernel, port);
}

}  // namespace chiphost::platform

// The entries that the AICore program of a real chip has.
extern "C" {
__attribute__((visibility("default"))) void chiphost_core_0_mix_aic() {}
__attribute__((visibility("default"))) void chiphost_core_0_mix_aiv() {}
}

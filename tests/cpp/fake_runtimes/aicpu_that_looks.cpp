// SPDX-License-Identifier: Apache-2.0
//
// The AICPU program of the simulated chip, which looks at the cores' registers before it begins a launch.
#include "chiphost/abi/device_program.h"
#include "sim_port.h"
#include "status/report.h"

extern "C" const ch_aicpu_program* real_program();

namespace {

void begin(void* context, const ch_launch* launch, void* const* ports) {
    using namespace chiphost::platform;
    auto* port = static_cast<AicpuPort*>(ports[0]);
    for (uint32_t core = 0; core < 3 * launch->block_dim; ++core) {
        const uint32_t cond = read_register(port, sim_physical_core(core), Register::cond);
        const uint32_t main_base = read_register(port, sim_physical_core(core), Register::data_main_base);
        if (cond == 0 && main_base == chiphost::core_protocol::main_base_idle) continue;
        auto* status = reinterpret_cast<ch_launch_status*>(launch->status);
        chiphost::report(&status->error, CH_PLATFORM_FAILED, "device", "a register speaks of the launch before");
        status->complete = 1;
    }
    real_program()->begin(context, launch, ports);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) const ch_aicpu_program* chiphost_aicpu_program() {
    static const ch_aicpu_program table = [] {
        ch_aicpu_program looking = *real_program();
        looking.begin = begin;
        return looking;
    }();
    return &table;
}

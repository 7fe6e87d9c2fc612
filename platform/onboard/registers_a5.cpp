// SPDX-License-Identifier: Apache-2.0
//
// A window for each group of an AIC and two AIVs, 1 MiB for each core of it. Cores are numbered by dies, on each die
// the AICs first.
#include "chiphost/platform/chip.h"
#include "registers.h"
#include "status/status.h"

namespace chiphost::platform {

namespace {

constexpr uint32_t dies = 2;
constexpr uint32_t core_bytes = 1u << 20;

struct MapRequest {
    uint32_t processor;  // who is to see the registers: 0, the AICPU's own process
    uint32_t resource;   // 0: a group of cores
    uint32_t group;
    uint32_t flag;
    uint32_t reserved[1];
};
using ResMap = int32_t (*)(uint32_t device, MapRequest* request, uint64_t* out_address, uint32_t* bytes);

}  // namespace

const char* const register_call_name = "halResMap";

Status map_registers(const Driver& driver, int32_t device_id, uint64_t* out_bases, uint64_t* out_cross_core,
                     ch_error* out_error) {
    const auto map = reinterpret_cast<ResMap>(driver.register_call);
    const uint32_t die_cores = chip.physical_cores / dies;
    const uint32_t die_groups = die_cores / 3;
    for (uint32_t group = 0; group < dies * die_groups; ++group) {
        MapRequest request{0, 0, group, 0, {0}};
        uint64_t base = 0;
        uint32_t bytes = 3 * core_bytes;
        if (const Status failed = map(static_cast<uint32_t>(device_id), &request, &base, &bytes); !failed.ok()) {
            return driver.failed(register_call_name, failed, out_error);
        }
        uint64_t* die = out_bases + group / die_groups * die_cores;
        const uint32_t on_die = group % die_groups;
        die[on_die] = base;
        die[die_groups + 2 * on_die] = base + core_bytes;
        die[die_groups + 2 * on_die + 1] = base + 2 * core_bytes;
    }
    *out_cross_core = 0;
    return CH_OK;
}

}  // namespace chiphost::platform

// SPDX-License-Identifier: Apache-2.0
//
// One window for all cores: 8 MiB for each group of an AIC and two AIVs, 1 MiB for each core of it.
#include "chiphost/platform/chip.h"
#include "registers.h"
#include "status/status.h"

namespace chiphost::platform {

namespace {

constexpr uint64_t group_bytes = uint64_t{8} << 20;
constexpr uint64_t core_bytes = uint64_t{1} << 20;
constexpr int32_t control_map_address = 0;  // what halMemCtl is to do
constexpr uint32_t map_core_control = 2;    // which registers
constexpr int32_t device_is_being_brought_up = 13;
constexpr int attempts_max = 4;

struct MapRequest {
    uint32_t kind;
    uint32_t device;
};
struct MapAnswer {
    uint64_t address;
    uint64_t bytes;
};
using MemCtl = int32_t (*)(int32_t what, void* request, size_t request_bytes, void* out_answer, size_t* out_bytes);
using CrossCoreAddress = int32_t (*)(uint64_t* out_address, uint32_t* out_bytes);

}  // namespace

const char* const register_call_name = "halMemCtl";

Status map_registers(const Driver& driver, int32_t device_id, uint64_t* out_bases, uint64_t* out_cross_core,
                     ch_error* out_error) {
    MapRequest request{map_core_control, static_cast<uint32_t>(device_id)};
    MapAnswer answer{};
    size_t answer_bytes = sizeof answer;
    const auto map = reinterpret_cast<MemCtl>(driver.register_call);
    int32_t code = device_is_being_brought_up;
    for (int i = 0; i < attempts_max && code == device_is_being_brought_up; ++i) {
        code = map(control_map_address, &request, sizeof request, &answer, &answer_bytes);
    }
    if (code != 0) return driver.failed(register_call_name, code, out_error);
    const uint32_t groups = chip.physical_cores / 3;
    for (uint32_t group = 0; group < groups; ++group) {
        const uint64_t base = answer.address + group * group_bytes;
        out_bases[group] = base;
        out_bases[groups + 2 * group] = base + core_bytes;
        out_bases[groups + 2 * group + 1] = base + 2 * core_bytes;
    }
    const auto cross_core = reinterpret_cast<CrossCoreAddress>(driver.find_in_runtime("rtGetC2cCtrlAddr"));
    *out_cross_core = 0;
    uint32_t bytes = 0;
    if (cross_core && (code = cross_core(out_cross_core, &bytes)) != 0) {
        return driver.failed("rtGetC2cCtrlAddr", code, out_error);
    }
    return CH_OK;
}

}  // namespace chiphost::platform

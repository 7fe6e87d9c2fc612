// SPDX-License-Identifier: Apache-2.0
//
// A core of a real chip. Compiled by the vendor's compiler ccec only, twice: for AIC and for AIV.
//
// The cores' caches don't see what others write: a line is dropped before it is read, and written back after it was
// written (dcci does both).
#include "chiphost/platform/aicore.h"
#include "core_cache.h"

namespace chiphost::platform {

namespace {

constexpr uint32_t core_id_mask = 0xFFF;

using Kernel = void (*)(__gm__ int64_t* args);

}  // namespace

__aicore__ uint32_t physical_core(AicorePort*) {
    return static_cast<uint32_t>(get_coreid()) & core_id_mask;
}

__aicore__ uint32_t read_main_base(AicorePort*) {
    uint32_t value;
    __asm__ volatile("MOV %0, DATA_MAIN_BASE\n" : "=l"(value));
    return value;
}

__aicore__ void write_cond(AicorePort*, uint32_t value) {
    set_cond(value);
}

__aicore__ bool pause_after_ack(AicorePort*) {
    return false;
}

__aicore__ bool call_kernel(AicorePort*, core_protocol::Payload* payload) {
    refresh_lines(payload, sizeof *payload);
    reinterpret_cast<Kernel>(payload->kernel)(reinterpret_cast<__gm__ int64_t*>(payload->args));
    pipe_barrier(PIPE_ALL);
    dcci(reinterpret_cast<__gm__ void*>(0), ENTIRE_DATA_CACHE, CACHELINE_OUT);
    return true;
}

}  // namespace chiphost::platform

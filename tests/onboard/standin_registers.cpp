// SPDX-License-Identifier: Apache-2.0
#include "standin_registers.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "chiphost/platform/chip.h"
#include "standin_state.h"

namespace chiphost::platform::standin {

namespace {

constexpr uint64_t mib = uint64_t{1} << 20;

}  // namespace

bool is_a5() {
    return strcmp(chip.name, "a5") == 0;
}

uint32_t group_count() {
    return chip.physical_cores / 3;
}

uint64_t group_bytes() {
    return is_a5() ? 3 * mib : 8 * mib;
}

char* registers() {
    char*& memory = process().registers;
    if (!memory) {
        void* made = mmap(nullptr, group_count() * group_bytes(), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (made == MAP_FAILED) abort();
        memory = static_cast<char*>(made);
    }
    return memory;
}

Place place_of(uint32_t core, uint32_t block_dim) {
    const uint32_t cluster = core < block_dim ? core : (core - block_dim) / 2;
    const uint32_t sub_core = core < block_dim ? 0 : 1 + (core - block_dim) % 2;
    const uint32_t group = (cluster * 7 + 3) % group_count();
    const uint32_t per_die = is_a5() ? 18 : group_count();
    const uint32_t die = group / per_die, on_die = group % per_die;
    const uint32_t on_die_core = sub_core == 0 ? on_die : per_die + 2 * on_die + sub_core - 1;
    return {die * per_die * 3 + on_die_core,
            reinterpret_cast<uint64_t>(registers()) + group * group_bytes() + sub_core * mib};
}

}  // namespace chiphost::platform::standin

// SPDX-License-Identifier: Apache-2.0
//
// The registers of the stand-in's cores, in groups of three as a chip has them.
#pragma once

#include <stdint.h>

namespace chiphost::platform::standin {

// The place of a launch's core on the chip: it has another number, so that nobody can mix them up.
struct Place {
    uint32_t physical;
    uint64_t registers;
};

bool is_a5();
uint32_t group_count();
uint64_t group_bytes();

// Call with the lock held.
char* registers();

// Call this with the lock held.
Place place_of(uint32_t core, uint32_t block_dim);

}  // namespace chiphost::platform::standin

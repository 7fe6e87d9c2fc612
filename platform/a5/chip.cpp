// SPDX-License-Identifier: Apache-2.0
//
// Ascend 950.
#include "chiphost/platform/chip.h"

namespace chiphost::platform {

const Chip chip = {
    "a5",
    36,                           // clusters: two dies of 18
    108,                          // physical cores
    7,                            // AICPU threads
    7,                            // AICPU threads launched
    1'000'000'000,                // counter, Hz
    uint64_t{128} << 30,          // memory
    {0xD0, 0x5108, no_register},  // DATA_MAIN_BASE, COND; no fast path
    // UB, L1, L0A, L0B, L0C, as PTO-ISA's simulation has them for this chip.
    {256 << 10, 512 << 10, 64 << 10, 64 << 10, 256 << 10},
    // Line of a core's data cache, in bytes. AscendC's manual, GlobalTensor::SetValue: a line of 64 bytes is written
    // back whole, and cores that write to one line overwrite each other's values.
    64,
};

}  // namespace chiphost::platform

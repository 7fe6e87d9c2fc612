// SPDX-License-Identifier: Apache-2.0
//
// Ascend 910B and 910C.
#include "chiphost/platform/chip.h"

namespace chiphost::platform {

const Chip chip = {
    "a2a3",
    24,                   // clusters
    75,                   // physical cores: 25 of each kind
    4,                    // AICPU threads
    6,                    // AICPU threads launched
    50'000'000,           // counter, Hz
    uint64_t{64} << 30,   // memory
    {0xA0, 0x4C8, 0x18},  // DATA_MAIN_BASE, COND, FAST_PATH
    // UB, L1, L0A, L0B, L0C, as PTO-ISA's simulation has them for this chip.
    {192 << 10, 512 << 10, 64 << 10, 64 << 10, 128 << 10},
    // Line of a core's data cache, in bytes. AscendC's manual, GlobalTensor::SetValue: a line of 64 bytes is written
    // back whole, and cores that write to one line overwrite each other's values.
    64,
};

}  // namespace chiphost::platform

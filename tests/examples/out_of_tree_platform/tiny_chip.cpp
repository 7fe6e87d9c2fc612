// SPDX-License-Identifier: Apache-2.0
//
// A chip of eight clusters and 16 MB.
#include "chiphost/platform/chip.h"

namespace chiphost::platform {

const Chip chip = {
    "tiny",
    8,                   // clusters
    25,                  // physical cores
    2,                   // AICPU threads
    2,                   // AICPU threads launched
    50'000'000,          // counter, Hz
    uint64_t{16} << 20,  // memory
    {0x0, 0x4, 0x8},     // DATA_MAIN_BASE, COND, FAST_PATH
};

}  // namespace chiphost::platform

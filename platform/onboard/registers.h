// SPDX-License-Identifier: Apache-2.0
//
// Where the registers of the cores are, as the AICPU sees them. Chips answer that by different calls.
#pragma once

#include <stdint.h>

#include "driver.h"
#include "status/status.h"

namespace chiphost::platform {

// The call of the driver's library that maps registers on this chip.
extern const char* const register_call_name;

// Asks for the address of each core's registers; out_bases has Chip::physical_cores entries. out_cross_core is what
// cores signal each other with, 0 on chips that need no address for it.
Status map_registers(const Driver& driver, int32_t device_id, uint64_t* out_bases, uint64_t* out_cross_core,
                     ch_error* out_error);

}  // namespace chiphost::platform

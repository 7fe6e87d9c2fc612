// SPDX-License-Identifier: Apache-2.0
//
// A core of the stand-in chip, used by the stand-in driver and by the AICore program built for it. A kernel's image is
// a shared library for this processor; it runs on a fiber, so that it can wait for another core.
#pragma once

#include <stdint.h>

#include "chiphost/hand_over.h"
#include "chiphost/platform/aicore.h"
#include "sim/fiber.h"

namespace chiphost::platform {

struct StandinServices : KernelServices {
    Fiber* fiber;
    core_protocol::Payload* payload;  // the payload of the kernel on the fiber
};

struct AicorePort {
    uint32_t physical;
    uint64_t registers;  // the address of this core's registers
    // The entry of the kernel whose image is at a device address; nullptr: there is none.
    void (*(*find_kernel)(uint64_t address))(int64_t* args);
    StandinServices services;
    Fiber fiber;
    FiberStack stack;
};

}  // namespace chiphost::platform

// SPDX-License-Identifier: Apache-2.0
//
// A platform whose strands do not pause, as on a chip. Include it in one file of a test.
#pragma once

#include "chiphost/platform/aicpu.h"

namespace chiphost::platform {

bool resume_strand(AicpuPort*, void (*body)(void*), void* argument) {
    body(argument);
    return true;
}
bool pause_strand(AicpuPort*) {
    return false;
}
bool should_breathe(AicpuPort*, bool due) {
    return due;
}

}  // namespace chiphost::platform

// SPDX-License-Identifier: Apache-2.0
//
// One AICPU thread's access to a real chip.
#pragma once

#include <stdint.h>

#include "chiphost/platform/aicpu.h"

namespace chiphost::platform {

// Looks after a launch besides the steps of its threads: whether it is to end early.
class LaunchWatch;

struct AicpuPort {
    const uint64_t* register_bases;  // by physical core
    LaunchWatch* watch;              // nullptr: nobody looks
    uint32_t thread;
    uint32_t idle;                  // looks in a row that found nothing to do
    alignas(64) uint64_t activity;  // grows when this thread does something; atomic
};

// A thread that has found nothing to do: lets others of its processor run now and then.
void relax(AicpuPort* port);

// Called between looks; see LaunchWatch. Implemented by the program.
void look_after(LaunchWatch* watch, AicpuPort* port);

}  // namespace chiphost::platform

// SPDX-License-Identifier: Apache-2.0
//
// Found before PTO-ISA's header of this name, whose questions to the loader running_kernel.h answers.
#pragma once

#include <dlfcn.h>

#include "../../running_kernel.h"

#define dlsym(handle, name) chiphost::pto::hook(name)
#include_next <pto/common/cpu_stub.hpp>
#undef dlsym

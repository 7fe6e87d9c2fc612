// SPDX-License-Identifier: Apache-2.0
//
// Found before PTO-ISA's header of this name, whose questions to the loader running_kernel.h answers. Its dcci does
// nothing, and is replaced.
#pragma once

#include <dlfcn.h>

#include "../../running_kernel.h"
#include "chiphost/data_cache.h"

#define dlsym(handle, name) chiphost::pto::hook(name)
#define dcci chiphost_unused_dcci
#include_next <pto/common/cpu_stub.hpp>
#undef dcci
#undef dlsym

// PTO-ISA has the same number for one line and for the whole cache, so what is flushed here is always all of it.
inline void dcci(const volatile void*, int) {
    chiphost::flush_data_cache();
}
inline void dcci(const volatile void*, int, int) {
    chiphost::flush_data_cache();
}

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dlfcn.h>
#include <stdint.h>

namespace chiphost::os {

// The address that code has in the file of its library, as debuggers and addr2line take it; 0 for a null address or one
// that belongs to no library of this linker namespace. For any thread, but it may wait for the dynamic loader: not for
// signal handlers, and not for what happens often.
inline uint64_t code_offset(uint64_t address) {
    Dl_info info;
    if (address == 0 || dladdr(reinterpret_cast<void*>(address), &info) == 0) return 0;
    return address - reinterpret_cast<uint64_t>(info.dli_fbase);
}

}  // namespace chiphost::os

// SPDX-License-Identifier: Apache-2.0
//
// Libraries without chiphost, for the bodies of raw_outcome.
#pragma once

#include <dlfcn.h>

#include "chiphost/abi/mailbox.h"
#include "raw_outcome.h"
#include "test_files.h"

namespace chiphost::tests {

inline void* open_raw(const char* name, Lmid_t list = LM_ID_BASE) {
    void* handle = dlmopen(list, library_path(name).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) give_up_in_child();
    return handle;
}

inline int32_t call_here(void* handle, const char* symbol, const void* second = nullptr, void* third = nullptr) {
    auto* function = reinterpret_cast<ch_call>(dlsym(handle, symbol));
    if (!function) give_up_in_child();
    return function(nullptr, second, third);
}

inline Lmid_t list_of(void* handle) {
    Lmid_t list = LM_ID_BASE;
    return dlinfo(handle, RTLD_DI_LMID, &list) == 0 ? list : LM_ID_BASE;
}

}  // namespace chiphost::tests

// SPDX-License-Identifier: Apache-2.0
//
// A library whose only variables are those of chiphost's headers, which every run writes before it reads them; with
// ANOTHER it has one of its own besides.
#include <iostream>

extern "C" {
__attribute__((visibility("hidden"), weak)) thread_local const void* chiphost_running_kernel = nullptr;
__attribute__((visibility("hidden"), weak)) thread_local void* chiphost_bound_graph = nullptr;
#ifdef ANOTHER
static thread_local int calls = 0;
#endif

__attribute__((visibility("default"))) bool next_call(void* value) {
    const bool same = chiphost_running_kernel == value && chiphost_bound_graph == value;
    chiphost_running_kernel = chiphost_bound_graph = value;
#ifdef ANOTHER
    return ++calls > 1 && same;
#else
    return same;
#endif
}
}

// SPDX-License-Identifier: Apache-2.0
//
// A library that opens another which needs the first, and never closes it.
#include <dlfcn.h>
#include <stdint.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

#ifdef PLUGIN
EXPORT int32_t opens_plugin_version();
EXPORT int32_t plugin_version() {
    return opens_plugin_version();
}
#else
EXPORT int32_t opens_plugin_version() {
    return 3;
}
EXPORT int32_t open_plugin(const char* path) {
    void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return handle ? reinterpret_cast<int32_t (*)()>(dlsym(handle, "plugin_version"))() : -1;
}
#endif

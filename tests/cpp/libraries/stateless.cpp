// SPDX-License-Identifier: Apache-2.0
//
// A library without state that throws and catches, counts atomically, and asks what the processor can do: the variables
// that the compiler and libgcc add for that must not be taken for the library's.
#include <stdint.h>

#include <atomic>
#include <stdexcept>

extern "C" __attribute__((visibility("default"))) int32_t seven(void*, const void*, void*) {
    try {
        throw std::runtime_error("caught at once");
    } catch (const std::exception&) {
        return 7;
    }
}

extern "C" __attribute__((visibility("default"))) void count(std::atomic<uint32_t>* counter) {
    counter->fetch_add(1);
}

extern "C" __attribute__((visibility("default"))) int32_t is_common() {
#ifdef __x86_64__
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse2") != 0;
#else
    return 1;
#endif
}

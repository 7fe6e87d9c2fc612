// SPDX-License-Identifier: Apache-2.0
//
// Thread-local memory that a thread gets when it first uses it, and threads that use it and end (facts H4).
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

thread_local volatile char block[1000];

void* use_block(void*) {
    block[0] = 1;
    return nullptr;
}

}  // namespace

EXPORT int32_t use_thread_local(void*, const void*, void*) {
    use_block(nullptr);
    return 0;
}

// Makes *second threads, one after the other. Each has ended before the next is made.
EXPORT int32_t end_threads(void*, const void* count, void*) {
    for (int32_t i = 0; i < *static_cast<const int32_t*>(count); ++i) {
        pthread_t thread;
        if (pthread_create(&thread, nullptr, use_block, nullptr) != 0) return -1;
        if (pthread_join(thread, nullptr) != 0) return -1;
    }
    return 0;
}

// Allocates some thousand blocks of many sizes; returns how many lie between the addresses second[0] and second[1].
EXPORT int32_t allocate_between(void*, const void* range, void*) {
    const auto* ends = static_cast<const uintptr_t*>(range);
    constexpr int largest = 1280;
    constexpr int step = 16;
    constexpr int of_each = 40;
    int32_t between = 0;
    for (int bytes = step; bytes <= largest; bytes += step) {
        for (int i = 0; i < of_each; ++i) {
            const auto address = reinterpret_cast<uintptr_t>(malloc(static_cast<size_t>(bytes)));  // kept on purpose
            between += address >= ends[0] && address < ends[1];
        }
    }
    return between;
}

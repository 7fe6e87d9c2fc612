// SPDX-License-Identifier: Apache-2.0
//
// A thread_local with a destructor: a thread that has used it must run code of this library when it ends.
#include <pthread.h>
#include <stdint.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

struct Count {
    ~Count() {
        ++calls;
        if (ends) ++*ends;
    }
    int32_t calls = 0;
    int32_t* ends = nullptr;
};

thread_local Count count;

void* use_and_end(void* ends) {
    count.ends = static_cast<int32_t*>(ends);
    return nullptr;
}

}  // namespace

EXPORT int32_t count_call(void*, const void*, void*) {
    return ++count.calls;
}

// From now on, the end of this thread's variable counts in *third.
EXPORT int32_t watch_end(void*, const void*, void* out_ends) {
    use_and_end(out_ends);
    return 0;
}

// Like watch_end, on a thread of the library's own, which has ended when this returns.
EXPORT int32_t watch_end_of_own_thread(void*, const void*, void* out_ends) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, use_and_end, out_ends) != 0) return -1;
    return pthread_join(thread, nullptr);
}

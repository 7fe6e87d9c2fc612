// SPDX-License-Identifier: Apache-2.0
//
// A library that reports how the world looks from inside a domain.
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

// Kernel's id of the calling thread.
EXPORT int32_t thread_id(void*, const void*, void*) {
    return static_cast<int32_t>(syscall(SYS_gettid));
}

// 1 if the environment has the variable named by `second`.
EXPORT int32_t has_variable(void*, const void* name, void*) {
    return getenv(static_cast<const char*>(name)) != nullptr;
}

// Makes a pthread key, gives this thread a value for it, and returns the key's number.
EXPORT int32_t make_key(void*, const void*, void*) {
    pthread_key_t key = 0;
    if (pthread_key_create(&key, nullptr) != 0) return -1;
    pthread_setspecific(key, reinterpret_cast<void*>(0x1234));
    return static_cast<int32_t>(key);
}

// Address of this namespace's malloc, in *third.
EXPORT int32_t address_of_malloc(void*, const void*, void* out_address) {
    *static_cast<void**>(out_address) = dlsym(RTLD_DEFAULT, "malloc");
    return 0;
}

// 1 if dlsym(RTLD_DEFAULT) finds the symbol named by `second`.
EXPORT int32_t finds_default(void*, const void* name, void*) {
    return dlsym(RTLD_DEFAULT, static_cast<const char*>(name)) != nullptr;
}

// Like finds_default, on a thread of this namespace, which lives on.
EXPORT int32_t finds_default_on_a_thread(void*, const void* name, void*) {
    struct Lookup {
        const void* name;
        int32_t found;
    };
    static Lookup lookup{nullptr, -1};  // the thread may look at it for ever
    lookup.name = name;
    pthread_t thread;
    const auto look = [](void* at) -> void* {
        auto* own = static_cast<Lookup*>(at);
        __atomic_store_n(&own->found, finds_default(nullptr, own->name, nullptr), __ATOMIC_RELEASE);
        for (;;) pause();
    };
    if (pthread_create(&thread, nullptr, look, &lookup) != 0) return -1;
    while (__atomic_load_n(&lookup.found, __ATOMIC_ACQUIRE) < 0) usleep(1000);
    return lookup.found;
}

// Loads the file named by `second` with plain dlopen; its link-map list in *third.
EXPORT int32_t open_inside(void*, const void* path, void* out_list) {
    void* handle = dlopen(static_cast<const char*>(path), RTLD_NOW | RTLD_LOCAL);
    if (!handle) return -1;
    return dlinfo(handle, RTLD_DI_LMID, out_list);
}

// Loads the file with RTLD_GLOBAL. 0 if the loader returned.
EXPORT int32_t open_globally(void*, const void* path, void*) {
    return dlopen(static_cast<const char*>(path), RTLD_NOW | RTLD_GLOBAL) ? 0 : -1;
}

EXPORT int32_t set_errno(void*, const void*, void*) {
    errno = EDOM;
    return 0;
}

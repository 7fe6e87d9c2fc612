// SPDX-License-Identifier: Apache-2.0
//
// A library that opens another (PLUGIN), which needs a third (BELOW); each asks for symbols by name.
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

// Kinds of lookup: any version; a version that exists; one that does not; the next object after the asker.
static void* find(const char* kind, const char* name) {
#ifdef __x86_64__
    constexpr char oldest[] = "GLIBC_2.2.5";
#else
    constexpr char oldest[] = "GLIBC_2.17";
#endif
    if (strcmp(kind, "version") == 0) return dlvsym(RTLD_DEFAULT, name, oldest);
    if (strcmp(kind, "no version") == 0) return dlvsym(RTLD_DEFAULT, name, "CHIPHOST_NONE");
    if (strcmp(kind, "next") == 0) return dlsym(RTLD_NEXT, name);
    return dlsym(RTLD_DEFAULT, name);
}

// 1 if it is found, 0 if not; 2 and 3 if dlerror() says otherwise.
static int32_t answer(void* found) {
    const bool failed = dlerror() != nullptr;
    return found ? (failed ? 3 : 1) : (failed ? 0 : 2);
}

#if defined(BELOW)

EXPORT int32_t below_symbol() {
    return 3;
}
EXPORT int32_t below_finds(const char* kind, const char* name) {
    return answer(find(kind, name));
}

#elif defined(PLUGIN)

EXPORT int32_t below_finds(const char* kind, const char* name);
EXPORT int32_t plugin_symbol() {
    return 2;
}
EXPORT int32_t plugin_finds(const char* kind, const char* name) {
    return answer(find(kind, name));
}
EXPORT int32_t plugin_asks_below(const char* kind, const char* name) {
    return below_finds(kind, name);
}

#else

namespace {

using Find = int32_t (*)(const char*, const char*);
Find plugin_find;
Find below_find;

struct Lookup {
    const char* asker;
    const char* kind;
    const char* name;
    int32_t found;
};

int32_t look(const Lookup& lookup) {
    if (strcmp(lookup.asker, "plugin") == 0) return plugin_find(lookup.kind, lookup.name);
    if (strcmp(lookup.asker, "below") == 0) return below_find(lookup.kind, lookup.name);
    return answer(find(lookup.kind, lookup.name));
}

}  // namespace

EXPORT int32_t library_symbol() {
    return 1;
}

EXPORT int32_t open_plugin(const char* path) {
    void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) return -1;
    plugin_find = reinterpret_cast<Find>(dlsym(handle, "plugin_finds"));
    below_find = reinterpret_cast<Find>(dlsym(handle, "plugin_asks_below"));
    return plugin_find && below_find ? 0 : -1;
}

// The object in which a lookup by code of the asker finds a symbol: "library", "plugin" or "below".
EXPORT int32_t looks_up(const char* asker, const char* kind, const char* name) {
    return look({asker, kind, name, 0});
}

// Looks the symbol up a thousand times.
EXPORT int32_t looks_up_often(const char* asker, const char* kind, const char* name) {
    int32_t found = 0;
    for (int i = 0; i < 1000; ++i) found += look({asker, kind, name, 0});
    return found;
}

// Looks the symbol up on a thread that this library makes, and which lives on.
EXPORT int32_t looks_up_on_a_thread(const char* asker, const char* kind, const char* name) {
    static Lookup lookup;
    lookup = {asker, kind, name, -1};
    const auto run = [](void*) -> void* {
        __atomic_store_n(&lookup.found, look(lookup), __ATOMIC_RELEASE);
        for (;;) pause();
    };
    pthread_t thread;
    if (pthread_create(&thread, nullptr, run, nullptr) != 0) return -1;
    while (__atomic_load_n(&lookup.found, __ATOMIC_ACQUIRE) < 0) usleep(1000);
    return lookup.found;
}

#endif

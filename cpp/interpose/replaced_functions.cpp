// SPDX-License-Identifier: Apache-2.0
#include "replaced_functions.h"

#include <string.h>

#include "made_threads.h"
#include "own_signal_handlers.h"
#include "relocations.h"
#include "spawned_processes.h"

namespace chiphost::interpose {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool wanted = false;  // these have functions of their own for that
#else
constexpr bool wanted = true;
#endif

struct Replacement {
    const char* name;
    void* function;
};

template <typename Function>
void* address_of(Function* function) {
    return reinterpret_cast<void*>(function);
}

void* replacement_of(const char* name) {
    const Replacement all[] = {{"posix_spawn", address_of(spawn_by_path)}, {"posix_spawnp", address_of(spawn_by_name)},
                               {"system", address_of(run_shell)},          {"popen", address_of(open_shell)},
                               {"pclose", address_of(close_shell)},        {"vfork", address_of(fork_instead)},
                               {"sigaction", address_of(install_action)},  {"signal", address_of(install_handler)},
                               {"pthread_create", address_of(make_thread)}};
    for (const Replacement& each : all) {
        if (strcmp(each.name, name) == 0) return each.function;
    }
    return nullptr;
}

void write(uintptr_t place, void* function, const Protection& protection) {
    const auto page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    void* const page = reinterpret_cast<void*>(place / page_bytes * page_bytes);
    const int before = protection.of(place);
    if (before == 0) return;
    if (!(before & PROT_WRITE) && mprotect(page, page_bytes, before | PROT_WRITE) != 0) return;
    memcpy(reinterpret_cast<void*>(place), &function, sizeof function);
    if (!(before & PROT_WRITE)) mprotect(page, page_bytes, before);
}

}  // namespace

void replace_functions(void* handle) {
    link_map* map = nullptr;
    if (!wanted || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) return;
    const Protection protection(map);
    for_each_address(map, [&](const ElfW(Sym) & symbol, const char* name, uintptr_t place) {
        if (symbol.st_shndx != SHN_UNDEF) return;
        if (void* function = replacement_of(name)) write(place, function, protection);
    });
}

}  // namespace chiphost::interpose

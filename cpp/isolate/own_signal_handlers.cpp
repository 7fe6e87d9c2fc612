// SPDX-License-Identifier: Apache-2.0
#include "own_signal_handlers.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

namespace chiphost::isolate {

namespace {

using Action = int (*)(int, const struct sigaction*, struct sigaction*);
using Signal = sighandler_t (*)(int, sighandler_t);

// Looked up when this object is loaded: later somebody's constructor may hold the loader's lock.
const auto next_sigaction = reinterpret_cast<Action>(dlsym(RTLD_NEXT, "sigaction"));
const auto next_signal = reinterpret_cast<Signal>(dlsym(RTLD_NEXT, "signal"));

// Whether an object that the loader lists belongs to isolated code. A namespace has nothing else; in the program's own,
// these are the private copies, by the names that they are loaded under (private_copy.cpp).
bool is_isolated([[maybe_unused]] const char* name) {
#ifdef CHIPHOST_IN_NAMESPACE
    return true;
#else
    return strncmp(name, "/proc/", 6) == 0 ||
           strncmp(name, P_tmpdir "/chiphost-", sizeof P_tmpdir "/chiphost-" - 1) == 0;
#endif
}

// Whether the function is isolated code.
bool is_own(sighandler_t handler) {
    const auto contains = [](dl_phdr_info* object, size_t, void* address) {
        const auto wanted = reinterpret_cast<uintptr_t>(address);
        for (size_t i = 0; i < object->dlpi_phnum; ++i) {
            const auto& segment = object->dlpi_phdr[i];
            if (segment.p_type == PT_LOAD && wanted - (object->dlpi_addr + segment.p_vaddr) < segment.p_memsz) {
                return is_isolated(object->dlpi_name) ? 1 : -1;
            }
        }
        return 0;
    };
    if (handler == SIG_DFL || handler == SIG_IGN || handler == SIG_ERR) return false;
    return dl_iterate_phdr(contains, reinterpret_cast<void*>(handler)) == 1;
}

void take(int number, sighandler_t handler) {
    if (!is_own(handler)) return;
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, number);
    pthread_sigmask(SIG_UNBLOCK, &mask, nullptr);
}

}  // namespace

int install_action(int number, const struct sigaction* action, struct sigaction* out_before) {
    const int result = next_sigaction(number, action, out_before);
    if (result == 0 && action) take(number, action->sa_handler);  // the same place as sa_sigaction
    return result;
}

sighandler_t install_handler(int number, sighandler_t handler) {
    const sighandler_t before = next_signal(number, handler);
    if (before != SIG_ERR) take(number, handler);
    return before;
}

}  // namespace chiphost::isolate

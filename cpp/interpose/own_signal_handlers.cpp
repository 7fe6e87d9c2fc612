// SPDX-License-Identifier: Apache-2.0
#include "own_signal_handlers.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <string_view>

#include "signal_masks.h"

namespace chiphost::interpose {

namespace {

using Action = int (*)(int, const struct sigaction*, struct sigaction*);
using Signal = sighandler_t (*)(int, sighandler_t);

// Looked up when this object is loaded: later a constructor may hold the loader's lock.
const auto next_sigaction = reinterpret_cast<Action>(dlsym(RTLD_NEXT, "sigaction"));
const auto next_signal = reinterpret_cast<Signal>(dlsym(RTLD_NEXT, "signal"));

// Constructors of libraries that a program is preloaded with may call before that.
int c_library_sigaction(int number, const struct sigaction* action, struct sigaction* out_before) {
    const Action next = next_sigaction ? next_sigaction : reinterpret_cast<Action>(dlsym(RTLD_NEXT, "sigaction"));
    return next(number, action, out_before);
}
sighandler_t c_library_signal(int number, sighandler_t handler) {
    const Signal next = next_signal ? next_signal : reinterpret_cast<Signal>(dlsym(RTLD_NEXT, "signal"));
    return next(number, handler);
}

constexpr int signals_max = 64;

struct Installed {
    std::atomic<sighandler_t> handler;
    std::atomic<pid_t> thread;  // the thread that installed it
};
Installed installed[signals_max + 1];  // the last handlers of isolated code; they may have been replaced since
std::atomic<Signals> ever_installed{0};
std::atomic<pid_t> process{0};

constexpr Signals bit_of(int number) {
    return Signals{1} << (number - 1);
}

bool is_handler(sighandler_t handler) {
    return handler != SIG_DFL && handler != SIG_IGN && handler != SIG_ERR;
}

// True if an object of this namespace belongs to isolated code. A namespace has nothing else, and a child process only
// its program besides, whose name is empty. In the program's own namespace isolated code is the private copies and
// orchestrations, recognized by the names that they are loaded under (private_copy.cpp, orch_so_file.cpp).
bool is_isolated([[maybe_unused]] const char* name) {
#ifdef CHIPHOST_IN_NAMESPACE
    return true;
#else
    if (home_of_this_process() == Home::child) return *name != 0;
    constexpr std::string_view in_memory = "/proc/";
    constexpr std::string_view in_file = "chiphost-";
    const std::string_view path = name;
    return path.substr(0, in_memory.size()) == in_memory ||
           path.substr(path.rfind('/') + 1).substr(0, in_file.size()) == in_file;
#endif
}

#ifdef DLFO_STRUCT_HAS_EH_DBASE  // glibc 2.35

// The object that the loader knows at an address. Unlike dl_iterate_phdr this takes no lock; it knows all namespaces.
link_map* object_of(void* address) {
    dl_find_object object;
    return _dl_find_object(address, &object) == 0 ? object.dlfo_link_map : nullptr;
}

bool same_namespace(link_map* one, link_map* other) {
    Lmid_t first = 0;
    Lmid_t second = 0;
    return dlinfo(one, RTLD_DI_LMID, &first) == 0 && dlinfo(other, RTLD_DI_LMID, &second) == 0 && first == second;
}

bool is_isolated_code(void* address) {
    link_map* const object = object_of(address);
    link_map* const own = object_of(&installed);
    return object && own && same_namespace(object, own) && is_isolated(object->l_name);
}

#else

bool is_isolated_code(void* address) {
    const auto contains = [](dl_phdr_info* object, size_t, void* wanted) {
        const auto place = reinterpret_cast<uintptr_t>(wanted);
        for (size_t i = 0; i < object->dlpi_phnum; ++i) {
            const auto& segment = object->dlpi_phdr[i];
            if (segment.p_type == PT_LOAD && place - (object->dlpi_addr + segment.p_vaddr) < segment.p_memsz) {
                return is_isolated(object->dlpi_name) ? 1 : -1;
            }
        }
        return 0;
    };
    return dl_iterate_phdr(contains, address) == 1;
}

#endif

void change_mask(int how, Signals signals) {
    if (signals == 0) return;
    sigset_t mask;
    sigemptyset(&mask);
    for (int number = 1; number <= signals_max; ++number) {
        if (signals & bit_of(number)) sigaddset(&mask, number);
    }
    pthread_sigmask(how, &mask, nullptr);
}

Signals as_signals(const sigset_t& mask) {
    Signals signals = 0;
    for (int number = 1; number <= signals_max; ++number) {
        if (sigismember(&mask, number) == 1) signals |= bit_of(number);
    }
    return signals;
}

void note_handler(int number, sighandler_t handler) {
    if (number > signals_max || !is_handler(handler)) return;
    if (!is_isolated_code(reinterpret_cast<void*>(handler))) return;
    installed[number].handler = handler;
    installed[number].thread = static_cast<pid_t>(syscall(SYS_gettid));
    ever_installed |= bit_of(number);
    change_mask(SIG_UNBLOCK, bit_of(number));
}

}  // namespace

int install_action(int number, const struct sigaction* action, struct sigaction* out_before) {
    const sighandler_t handler = action ? action->sa_handler : SIG_DFL;  // the same place as sa_sigaction
    const int result = c_library_sigaction(number, action, out_before);
    if (result == 0 && action && getpid() == process) note_handler(number, handler);
    return result;
}

sighandler_t install_handler(int number, sighandler_t handler) {
    const sighandler_t before = c_library_signal(number, handler);
    if (before != SIG_ERR && getpid() == process) note_handler(number, handler);
    return before;
}

void look_after_handlers() {
    process = getpid();
}

Signals handled_by_own() {
    const Signals ever = ever_installed;
    Signals handled = 0;
    for (int number = 1; ever != 0 && number <= signals_max; ++number) {
        struct sigaction now{};
        if (!(ever & bit_of(number)) || next_sigaction(number, nullptr, &now) != 0) continue;
        if (is_handler(now.sa_handler) && now.sa_handler == installed[number].handler) handled |= bit_of(number);
    }
    return handled;
}

void AdmittedSignals::update() {
    if (ever_installed == 0) return;
    const Signals handled = handled_by_own();
    change_mask(SIG_UNBLOCK, handled & ~admitted_);
    change_mask(SIG_BLOCK, admitted_ & ~handled & as_signals(blocked_on_threads()));
    admitted_ = handled;
}

void AdmittedSignals::note() {
    if (ever_installed == 0) return;
    const Signals handled = handled_by_own();
    const auto self = static_cast<pid_t>(syscall(SYS_gettid));
    for (int number = 1; number <= signals_max; ++number) {
        if ((handled & bit_of(number)) && installed[number].thread == self) admitted_ |= bit_of(number);
    }
}

}  // namespace chiphost::interpose

// SPDX-License-Identifier: Apache-2.0
//
// Built twice: as a shared library, the first object of every namespace, and into the program itself for libraries that
// are loaded as private copies.
#include "chiphost/abi/anchor.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include <algorithm>
#include <exception>
#include <new>
#include <vector>

#include "anchor.h"
#include "foreign_threads.h"
#include "interpose/default_lookups.h"
#include "interpose/made_threads.h"
#include "interpose/own_signal_handlers.h"
#include "interpose/replaced_functions.h"
#include "interpose/signal_masks.h"
#include "isolate/call_frame.h"
#include "library_pool.h"
#include "loader/loader_gate.h"
#include "loader/loader_path.h"
#include "os/mutex.h"
#include "os/stack_size.h"
#include "os/thread_state.h"
#include "status/guarded.h"
#include "status/report.h"
#include "thread_refusal.h"

namespace chiphost::isolate {

namespace {

constexpr size_t fault_stack_bytes = 64u << 10;

uint32_t usable_processors() {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<uint32_t>(CPU_COUNT(&set)) : 2;
}

// A library that lets an exception out breaks its contract, but must not take the process down.
int32_t call_guarded(const ch_mailbox& mailbox) {
    try {
        return mailbox.call(mailbox.first, mailbox.second, mailbox.third);
    } catch (...) {
        return CH_ANCHOR_CALL_THREW;
    }
}

// Lets handlers of faults run when the thread's own stack is used up. A sanitizer brings a stack of its own.
void lend_fault_stack(char* memory, size_t bytes) {
    stack_t now{};
    if (sigaltstack(nullptr, &now) != 0 || !(now.ss_flags & SS_DISABLE)) return;
    stack_t own{};
    own.ss_sp = memory;
    own.ss_size = bytes;
    sigaltstack(&own, nullptr);  // without it such a fault ends the process at once
}

// The effect of a call on the thread: none, as it calls nobody's code; any; or the effect of a library on its own
// thread. A thread is a library's as long as it calls functions of it: what they do to it stays, as on any thread of a
// program.
enum class Effect { none, any, of_its_library };
Effect effect_of(ch_call call);

// Writes out what code has printed, before the caller prints something itself. Where stdout is no terminal, this C
// library would keep it for the end of the process, which a namespace's C library does not see. A thread that is
// printing keeps the lock: what it prints goes out later.
void flush_output() {
    if (ftrylockfile(stdout) != 0) return;
    if (__fpending(stdout) != 0) fflush(stdout);
    funlockfile(stdout);
}

// The keeper takes no signals: a handler may jump out of the code that it interrupts, and that is never the keeper's.
enum class Role { keeper, of_libraries };

template <Role role>
void* thread_main(void* argument) {
    // This lies at the far end of the stack, and stays for ever, as the thread never ends.
    alignas(16) char fault_stack[fault_stack_bytes];
    auto* mailbox = static_cast<ch_mailbox*>(argument);
    lend_fault_stack(fault_stack, sizeof fault_stack);
    __atomic_store_n(&mailbox->system_id, static_cast<int32_t>(syscall(SYS_gettid)), __ATOMIC_RELAXED);
    const pid_t process = getpid();
    interpose::become_origin();
    os::ThreadState state = os::ThreadState::of_this_thread();
    state.set_floats(os::FloatState());  // whatever the thread has that asked for this one
    os::FloatState().restore();          // and no more: its maker may be giving it its name just now
    bool restored = true;
    interpose::AdmittedSignals signals;
    for (uint32_t served = 0;; ++served) {
        ch_mailbox_await(mailbox, served);
        const Effect effect = effect_of(mailbox->call);
        if (restored && effect != Effect::none) state.refresh();
        if (role == Role::of_libraries && effect != Effect::none) signals.update();
        const int32_t code = call_guarded(*mailbox);
        // Code that was called may have made a copy of the process, which has come back here, too. It is not for the
        // copy to answer, and there is nobody in it whom it could wait for.
        if (getpid() != process) _exit(0);
        if (effect == Effect::of_its_library) {
            restored = false;
            signals.note();
        } else if (mailbox->same_user) {
            state.restore_quickly();
            restored = false;
            signals.forget();
        } else if (effect == Effect::any || !restored) {
            if (!state.restore()) mailbox->spoiled = 1;
            restored = true;
            signals.forget();
        }
        flush_output();
        ch_mailbox_complete(mailbox, served, code);
    }
    return nullptr;
}

// The name of all threads of an anchor, and of those that libraries make on them: the kernel hands it down. 15
// characters are the most it keeps.
struct ThreadName {
    explicit ThreadName(const void* state) {
        constexpr unsigned page_bits = 12;
        snprintf(text, sizeof text, "chiphost-%06x",
                 static_cast<unsigned>(reinterpret_cast<uintptr_t>(state) >> page_bits) & 0xffffff);
    }
    char text[16];
};

// Makes a thread that serves the mailbox for ever. 0, or the errno of what failed.
int start_thread(ch_mailbox* mailbox, void* (*main)(void*), const void* state, const sigset_t& blocked,
                 uint64_t stack_bytes) {
    new (mailbox) ch_mailbox{};
    mailbox->spin = usable_processors() > 1;
    mailbox->stack_bytes = stack_bytes;
    pthread_attr_t attributes;
    if (const int failed = pthread_attr_init(&attributes)) return failed;
    pthread_attr_setstacksize(&attributes, stack_bytes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigset_t before;
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    // In a namespace the loader gets memory for a thread from the program's malloc, which sets the program's errno if
    // it has none. pthread_create looks at the namespace's, and ends the process unless that is ENOMEM.
    errno = ENOMEM;
    pthread_t thread;
    const int failed = interpose::make_own_thread(&thread, &attributes, main, mailbox);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    if (!failed) pthread_setname_np(thread, ThreadName(state).text);
    return failed;
}

struct Anchor {
    explicit Anchor(ch_loader_gate* the_gate)
        : gate(the_gate), mark(ch_fork_mark_create()), libraries(the_gate, [this] { return foreign_threads(); }) {}

    // The threads that libraries have made and that still live. Throws std::bad_alloc as long as there are no threads
    // but the keeper.
    ForeignThreads foreign_threads();

    ch_loader_gate* const gate;
    const ch_fork_mark* const mark;
    sigset_t blocked;  // on all threads but the keeper
    sigset_t blocked_by_keeper;
    sigset_t blocked_by_program;  // on the thread that has made the anchor
    ch_mailbox* keeper = nullptr;
    os::Mutex mutex;
    bool hands_down CH_GUARDED_BY(mutex) = false;           // processes get the program's mask
    std::vector<ch_mailbox*> threads CH_GUARDED_BY(mutex);  // all, for counting
    std::vector<ch_mailbox*> free_threads CH_GUARDED_BY(mutex);
    std::vector<int32_t> numbers CH_GUARDED_BY(mutex);  // of the threads, for foreign_threads(); has room for all
    LibraryPool libraries;
};

ForeignThreads Anchor::foreign_threads() {
    constexpr uint64_t patience_ns = 1'000'000'000;  // a busy machine may let a new thread wait for its first processor
    const ThreadName name(this);
    const uint64_t start = ch_monotonic_ns();
    const os::MutexLock lock(mutex);  // so that no thread is being made
    for (;;) {
        // Own threads may have another name for a while (started_threads.h); one that has only just been made has no
        // number yet, and looks like a library's.
        numbers.clear();
        numbers.push_back(__atomic_load_n(&keeper->system_id, __ATOMIC_RELAXED));
        for (const ch_mailbox* thread : threads) {
            numbers.push_back(__atomic_load_n(&thread->system_id, __ATOMIC_RELAXED));
        }
        const bool all_known = std::find(numbers.begin(), numbers.end(), 0) == numbers.end();
        const ForeignThreads found = ForeignThreads::find(
            {name.text, blocked, blocked_by_program, gate ? gate->origins : nullptr}, numbers.data(), numbers.size());
        if (found.none() || all_known || ch_monotonic_ns() - start > patience_ns) return found;
        sched_yield();
    }
}

Anchor& anchor(void* state) {
    return *static_cast<Anchor*>(state);
}

int32_t create(ch_loader_gate* gate, void** out_state, ch_mailbox** out_keeper) {
    // No malloc here: this runs on a foreign thread, whose heap belongs to another libc.
    constexpr size_t bytes = sizeof(Anchor) + sizeof(ch_mailbox) + 64;
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return errno;
#ifdef __SANITIZE_ADDRESS__
    __lsan_register_root_region(memory, bytes);  // or everything that only the anchor knows would count as leaked
#endif
    auto* keeper = static_cast<ch_mailbox*>(memory);
    auto* state = new (static_cast<char*>(memory) + sizeof(ch_mailbox)) Anchor(gate);
    state->keeper = keeper;
    pthread_sigmask(SIG_SETMASK, nullptr, &state->blocked_by_program);
    state->blocked = interpose::blocked_on_threads();
    interpose::look_after_handlers();
    interpose::note_origins_in(gate ? gate->origins : nullptr);
    interpose::look_up_behind(gate);
    state->blocked_by_keeper = interpose::blocked_for(interpose::Home::program);
    if (const int failed =
            start_thread(keeper, thread_main<Role::keeper>, state, state->blocked_by_keeper, os::usual_stack_bytes())) {
        munmap(memory, bytes);
        return failed;
    }
    *out_state = state;
    *out_keeper = keeper;
    return 0;
}

// This cannot be done when the anchor is made, which happens on a foreign thread.
void hand_down_programs_mask(Anchor& self) {
    const os::MutexLock lock(self.mutex);
    if (self.hands_down) return;
    interpose::hand_down_mask(self.blocked_by_keeper, self.blocked_by_program);
    interpose::hand_down_mask(self.blocked, self.blocked_by_program);
    self.hands_down = true;
}

int32_t lease_thread(void* state, const void* stack_bytes, void* out_mailbox) {
    return guarded("anchor", nullptr, [&]() -> int32_t {
        Anchor& self = anchor(state);
        const uint64_t wanted = os::stack_bytes_for(stack_bytes ? *static_cast<const uint64_t*>(stack_bytes) : 0);
        hand_down_programs_mask(self);
        const os::MutexLock lock(self.mutex);
        auto free = std::find_if(self.free_threads.rbegin(), self.free_threads.rend(),
                                 [&](const ch_mailbox* thread) { return thread->stack_bytes >= wanted; });
        if (free == self.free_threads.rend()) {
            self.threads.reserve(self.threads.size() + 1);
            self.free_threads.reserve(self.threads.size() + 1);  // so that return_thread never allocates
            self.numbers.reserve(self.threads.size() + 2);
            void* memory = ::operator new(sizeof(ch_mailbox), std::align_val_t{64});
            auto* mailbox = static_cast<ch_mailbox*>(memory);
            if (start_thread(mailbox, thread_main<Role::of_libraries>, state, self.blocked, wanted) != 0) {
                ::operator delete(memory, std::align_val_t{64});
                return thread_refusal(wanted);
            }
            self.threads.push_back(mailbox);
            self.free_threads.push_back(mailbox);
            free = self.free_threads.rbegin();
        }
        *static_cast<ch_mailbox**>(out_mailbox) = *free;
        self.free_threads.erase(std::next(free).base());
        return CH_OK;
    });
}

int32_t return_thread(void* state, const void* mailbox, void*) {
    Anchor& self = anchor(state);
    if (static_cast<const ch_mailbox*>(mailbox)->spoiled) return CH_OK;
    const os::MutexLock lock(self.mutex);
    self.free_threads.push_back(static_cast<ch_mailbox*>(const_cast<void*>(mailbox)));
    return CH_OK;
}

int32_t open_library(void* state, const void* request, void* out_error) {
    auto* error = static_cast<ch_error*>(out_error);
    return guarded("anchor", error, [&] {
        hand_down_programs_mask(anchor(state));
        return anchor(state).libraries.open(*static_cast<const ch_open_request*>(request), error);
    });
}

int32_t find_symbol(void* state, const void* request, void*) {
    return guarded("anchor", nullptr, [&]() -> int32_t {
        const auto& wanted = *static_cast<const ch_symbol_request*>(request);
        *wanted.out_address = anchor(state).libraries.find_symbol(wanted.library, wanted.symbol);
        return CH_OK;
    });
}

int32_t close_library(void* state, const void* library, void* out_unloaded) {
    return guarded("anchor", nullptr, [&]() -> int32_t {
        const bool unloaded = anchor(state).libraries.close(static_cast<ch_library*>(const_cast<void*>(library)));
        if (out_unloaded) *static_cast<uint32_t*>(out_unloaded) = unloaded;
        return CH_OK;
    });
}

int32_t count(void* state, const void*, void* out_counts) {
    auto& counts = *static_cast<ch_anchor_counts*>(out_counts);
    Anchor& self = anchor(state);
    self.libraries.count(&counts);
    const os::MutexLock lock(self.mutex);
    counts.threads = self.threads.size() + 1;  // and the keeper
    counts.threads_free = self.free_threads.size();
    return CH_OK;
}

int32_t ask(void*, const void* question, void* out_answer) {
    const auto& asked = *static_cast<const ch_question*>(question);
    *static_cast<uint64_t*>(out_answer) = asked.pointer ? reinterpret_cast<uint64_t>(asked.pointer()) : asked.number();
    return CH_OK;
}

int32_t call_function(void*, const void* frame, void* out_outcome) {
    return call_frame(*static_cast<const ch_call_frame*>(frame), static_cast<ch_call_outcome*>(out_outcome));
}

int32_t flush(void* state, const void* key, void*) {
    return guarded("anchor", nullptr, [&]() -> int32_t {
        anchor(state).libraries.flush(key ? static_cast<const char*>(key) : "");
        return CH_OK;
    });
}

int32_t last_foreign_thread(void* state, const void*, void* out_time) {
    return guarded("anchor", nullptr, [&]() -> int32_t {
        *static_cast<uint64_t*>(out_time) = anchor(state).foreign_threads().last_ns();
        return CH_OK;
    });
}

int32_t keep_if_running(void* state, const void* request, void* out_kept) {
    return guarded("anchor", nullptr, [&]() -> int32_t {
        const auto& loaded = *static_cast<const ch_keep_request*>(request);
        *static_cast<uint32_t*>(out_kept) = anchor(state).libraries.keep_if_running(loaded.handle, loaded.loaded_at_ns);
        return CH_OK;
    });
}

int32_t loader_gate(void* state, const void*, void* out_gate) {
    *static_cast<ch_loader_gate**>(out_gate) = anchor(state).gate;
    return CH_OK;
}

int32_t fork_mark(void* state, const void*, void* out_mark) {
    *static_cast<const ch_fork_mark**>(out_mark) = anchor(state).mark;
    return CH_OK;
}

int32_t adopt(void* state, [[maybe_unused]] const void* handle, void*) {
#ifndef CHIPHOST_IN_NAMESPACE  // there the anchor comes first
    const loader::LoaderPass pass(anchor(state).gate);
    interpose::replace_functions(const_cast<void*>(handle));
#else
    static_cast<void>(state);
#endif
    return CH_OK;
}

int32_t show_library_of(void*, const void* path, void* shown) {
    return guarded("anchor", nullptr, [&]() -> int32_t {
        const loader::LoaderPath as_loaded(static_cast<const char*>(path));
        interpose::show_library(as_loaded.c_str(), *static_cast<const uint32_t*>(shown) != 0);
        return CH_OK;
    });
}

constexpr ch_anchor table = {
    CH_ABI_HEADER(ch_anchor, CH_ABI_ANCHOR, CH_ANCHOR_MAJOR, CH_ANCHOR_MINOR, "*"),
    create,
    lease_thread,
    return_thread,
    open_library,
    find_symbol,
    close_library,
    count,
    ask,
    call_function,
    flush,
    last_foreign_thread,
    loader_gate,
    fork_mark,
    keep_if_running,
    adopt,
    show_library_of,
};

Effect effect_of(ch_call call) {
    if (call == call_function || call == find_symbol) return Effect::of_its_library;
    for (const ch_call own : {lease_thread, return_thread, count, last_foreign_thread, keep_if_running, loader_gate,
                              fork_mark, adopt, show_library_of}) {
        if (call == own) return Effect::none;
    }
    return Effect::any;
}

}  // namespace

const ch_anchor& anchor_of_this_program() {
    return table;
}

}  // namespace chiphost::isolate

// SPDX-License-Identifier: Apache-2.0
#include "made_threads.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <new>

namespace chiphost::interpose {

namespace {

using Main = void* (*)(void*);
using Create = int (*)(pthread_t*, const pthread_attr_t*, Main, void*);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
const Create next_create = pthread_create;  // these have one of their own
#else
// Looked up when this object is loaded: later a constructor may hold the loader's lock.
const auto next_create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
#endif

std::atomic<ch_thread_origins*> all_origins{nullptr};

int32_t own_number() {
    return static_cast<int32_t>(syscall(SYS_gettid));
}

// The function that a thread is to run, and the thread's origin.
struct Start {
    Main main;
    void* argument;
    int32_t origin;
};

// A note that lasts as long as this object: pthread_exit() ends it, too.
class Note {
public:
    explicit Note(int32_t origin) { ch_thread_origins_note(origins_, number_, origin); }
    ~Note() { ch_thread_origins_forget(origins_, number_); }
    Note(const Note&) = delete;
    Note& operator=(const Note&) = delete;

private:
    ch_thread_origins* const origins_ = all_origins;
    const int32_t number_ = own_number();
};

void* run(void* argument) {
    const std::unique_ptr<Start> given(static_cast<Start*>(argument));
    const Note note(given->origin);
    return given->main(given->argument);
}

}  // namespace

int make_thread(pthread_t* out_thread, const pthread_attr_t* attributes, Main main, void* argument) {
    const int32_t origin = ch_thread_origins_of(all_origins, own_number());
    if (origin == 0) return next_create(out_thread, attributes, main, argument);
    std::unique_ptr<Start> start(new (std::nothrow) Start{main, argument, origin});
    if (!start) return EAGAIN;
    const int failed = next_create(out_thread, attributes, run, start.get());
    if (!failed) static_cast<void>(start.release());  // the thread has it
    return failed;
}

int make_own_thread(pthread_t* out_thread, const pthread_attr_t* attributes, Main main, void* argument) {
    return next_create(out_thread, attributes, main, argument);
}

void note_origins_in(ch_thread_origins* origins) {
    all_origins = origins;
}

void become_origin() {
    const int32_t self = own_number();
    ch_thread_origins_note(all_origins, self, self);
}

}  // namespace chiphost::interpose

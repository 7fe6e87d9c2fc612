// SPDX-License-Identifier: Apache-2.0
#include "fiber.h"

#include <cxxabi.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

#include "chiphost/align.h"
#include "os/handled_signals.h"

namespace chiphost::platform {

bool FiberStack::make(size_t bytes) {
    if (base_) return true;
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    bytes = align_up(bytes, page);
    void* memory = mmap(nullptr, bytes + page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) return false;
    mprotect(memory, page, PROT_NONE);
    base_ = static_cast<char*>(memory) + page;
    bytes_ = bytes;
    return true;
}

FiberStack::~FiberStack() {
    if (!base_) return;
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    munmap(base_ - page, bytes_ + page);
}

Fiber::~Fiber() {
#ifdef __SANITIZE_THREAD__
    if (tsan_inside_) __tsan_destroy_fiber(tsan_inside_);
#endif
}

// makecontext passes ints only.
void Fiber::enter(unsigned high, unsigned low) {
    auto* self = reinterpret_cast<Fiber*>(static_cast<uintptr_t>(uint64_t{high} << 32 | low));
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(self->asan_inside_, &self->outside_base_, &self->outside_bytes_);
#endif
    for (;;) {
        self->body_(self->argument_);
        self->running_ = false;
        self->switch_out();  // the next resume() comes back here with another body
    }
}

bool Fiber::resume(const FiberStack& stack, void (*body)(void*), void* argument) {
    if (!running_) {
        body_ = body;
        argument_ = argument;
        running_ = true;
        if (stack_ != &stack) {
            stack_ = &stack;
            getcontext(&inside_);
            inside_.uc_stack.ss_sp = stack.base();
            inside_.uc_stack.ss_size = stack.bytes();
            inside_.uc_link = nullptr;
            const auto address = reinterpret_cast<uintptr_t>(this);
            makecontext(&inside_, reinterpret_cast<void (*)()>(enter), 2,
                        static_cast<unsigned>(uint64_t{address} >> 32), static_cast<unsigned>(address));
#ifdef __SANITIZE_THREAD__
            if (!tsan_inside_) tsan_inside_ = __tsan_create_fiber(0);
#endif
        } else {
            pthread_sigmask(SIG_SETMASK, nullptr, &inside_.uc_sigmask);  // not what the last body has left
        }
    }
    switch_in();
    return !running_;
}

void Fiber::pause() {
    switch_out();
}

// The exceptions that are being thrown and caught belong to the stack, but the C++ library keeps it for the thread.
void Fiber::switch_in() {
    auto* of_thread = reinterpret_cast<Exceptions*>(abi::__cxa_get_globals());
    const Exceptions outside = *of_thread;
    *of_thread = exceptions_;
#ifdef __SANITIZE_THREAD__
    tsan_outside_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(tsan_inside_, 0);
#endif
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&asan_outside_, stack_->base(), stack_->bytes());
#endif
    swapcontext(&outside_, &inside_);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(asan_outside_, nullptr, nullptr);
#endif
    // The rest of what the thread does relies on handlers that the fiber has installed.
    if (os::admit_handled_signals(inside_.uc_sigmask, &outside_.uc_sigmask)) {
        pthread_sigmask(SIG_SETMASK, &outside_.uc_sigmask, nullptr);
    }
    exceptions_ = *of_thread;
    *of_thread = outside;
}

void Fiber::switch_out() {
#ifdef __SANITIZE_THREAD__
    __tsan_switch_to_fiber(tsan_outside_, 0);
#endif
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&asan_inside_, outside_base_, outside_bytes_);
#endif
    swapcontext(&inside_, &outside_);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(asan_inside_, &outside_base_, &outside_bytes_);
#endif
}

}  // namespace chiphost::platform

// SPDX-License-Identifier: Apache-2.0
//
// A function with a stack of its own that can pause in the middle: for what a simulated processor does and cannot cut
// into steps, an orchestration or a kernel that waits for another one.
#pragma once

#include <stddef.h>
#include <ucontext.h>

namespace chiphost::platform {

// Memory for stacks. Pages are used as they are touched; an overflow faults.
class FiberStack {
public:
    FiberStack() = default;
    ~FiberStack();
    FiberStack(const FiberStack&) = delete;
    FiberStack& operator=(const FiberStack&) = delete;

    // Makes the stack if there is none yet. False: the system refuses it.
    bool make(size_t bytes);
    char* base() const { return base_; }  // lowest usable address
    size_t bytes() const { return bytes_; }

private:
    char* base_ = nullptr;
    size_t bytes_ = 0;
};

// Used by one host thread at a time, not always the same. A fiber that has begun must be resumed until it has returned,
// or be abandoned with its stack: what is on that is not unwound.
class Fiber {
public:
    Fiber() = default;
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    // Begins body(argument), or lets it go on. True: it has returned. The body must not throw. The stack is borrowed
    // until then.
    bool resume(const FiberStack& stack, void (*body)(void*), void* argument);

    // From inside: lets resume() return.
    void pause();

    bool begun() const { return running_; }

private:
    static void enter(unsigned high, unsigned low);
    void switch_in();
    void switch_out();

    ucontext_t inside_;
    ucontext_t outside_;
    void (*body_)(void*) = nullptr;
    void* argument_ = nullptr;
    bool running_ = false;  // has begun and not returned
    const FiberStack* stack_ = nullptr;
    struct Exceptions {
        void* caught = nullptr;
        unsigned uncaught = 0;
    } exceptions_;  // of the fiber while it pauses
#ifdef __SANITIZE_THREAD__
    void* tsan_inside_ = nullptr;
    void* tsan_outside_ = nullptr;
#endif
#ifdef __SANITIZE_ADDRESS__
    void* asan_inside_ = nullptr;
    void* asan_outside_ = nullptr;
    const void* outside_base_ = nullptr;
    size_t outside_bytes_ = 0;
#endif
};

}  // namespace chiphost::platform

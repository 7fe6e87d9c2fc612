// SPDX-License-Identifier: Apache-2.0
//
// The waits of a cluster's cores for each other in TPUSH and TPOP, and the memory that holds the tiles meanwhile.
#pragma once

// Everything that PTO-ISA's header includes comes first, before words of it mean something else.
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <new>
#include <string>
#include <thread>

#if __has_include(<pto/common/fifo.hpp>)
#include <pto/common/fifo.hpp>
#endif
#include <pto/cpu/TAssign.hpp>

#include "running_kernel.h"

namespace chiphost::pto {

// Never held while a kernel pauses, so whoever waits for it waits for another thread that has work to do.
class Mutex {
public:
    void lock() {
        while (held_.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
    }
    bool try_lock() { return !held_.exchange(true, std::memory_order_acquire); }
    void unlock() { held_.store(false, std::memory_order_release); }

private:
    std::atomic<bool> held_{false};
};

// Waiting pauses the core, so that other cores get on, on another thread or on this one.
class ConditionVariable {
public:
    template <typename Lock>
    void wait(Lock& lock) {
        const KernelContext& context = running_kernel();
        lock.unlock();
        pause_kernel(context);
        lock.lock();
    }
    template <typename Lock, typename Predicate>
    void wait(Lock& lock, Predicate done) {
        while (!done()) wait(lock);
    }
    void notify_one() { notify_cluster(running_kernel()); }
    void notify_all() { notify_cluster(running_kernel()); }
};

}  // namespace chiphost::pto

// PTO-ISA writes std:: before these names.
namespace std {
using chiphost_pto_mutex = ::chiphost::pto::Mutex;
using chiphost_pto_condition_variable = ::chiphost::pto::ConditionVariable;
}  // namespace std

namespace pto {

// A text that is the same in the libraries of all kernels that have this pipe.
template <typename Pipe>
const char* chiphost_pto_name_of() {
    return __PRETTY_FUNCTION__;
}

// A slot of a pipe: a tile that the consumer has in its UB (Vec) or L1 (Mat), and the producer writes. Each core sees
// only its own memories here, so the slots of a pipe are in memory that the cluster shares, at the same offsets.
template <typename Pipe, typename T, typename AddrType>
AICORE void chiphost_pto_assign_shared(T& slot, AddrType offset) {
    constexpr chiphost::LocalMemory which = chiphost::pto::memory_of<T>();
    const uint64_t bytes = chiphost::pto::region(which).bytes;
    const std::string name = std::string(chiphost::pto::name_of(which)) + " of " + chiphost_pto_name_of<Pipe>();
    const chiphost::pto::Region shared{static_cast<char*>(chiphost::pto::get_shared_storage(name.c_str(), bytes)),
                                       bytes};
    slot.data() = chiphost::pto::place_of<T>(shared, static_cast<uint64_t>(offset));
}

}  // namespace pto

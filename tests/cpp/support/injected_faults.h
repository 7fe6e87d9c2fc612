// SPDX-License-Identifier: Apache-2.0
//
// Makes system calls and allocations of this program fail. The program defines the functions itself, so all libraries
// that are loaded into its own namespace use these too: workers that are isolated by copies, their runtimes and
// kernels.
#pragma once

#include <stdint.h>

namespace chiphost::tests {

enum FaultKind : uint32_t {
    memory_faults = 1,  // malloc, calloc, realloc, aligned_alloc, posix_memalign, and so operator new;
                        // not in dlclose, which does not survive that
    system_faults = 2   // open, read, write, mmap, memfd_create, ftruncate, fstat, stat, mkostemp, pthread_create
};

// Counts the calls of these kinds as long as it lives, whatever thread makes them. The call of this number (from 1)
// fails; with `lasting`, those after it fail too. One object at a time.
class InjectedFault {
public:
    InjectedFault(uint32_t kinds, int64_t number, bool lasting);
    ~InjectedFault() { stop(); }
    InjectedFault(const InjectedFault&) = delete;
    InjectedFault& operator=(const InjectedFault&) = delete;

    void stop();
    bool fired() const;
    int64_t calls() const;         // calls of these kinds so far
    const char* function() const;  // the first that failed; "" if none has

private:
    int64_t number_ = 0;
};

}  // namespace chiphost::tests

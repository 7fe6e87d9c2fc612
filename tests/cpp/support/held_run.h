// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sched.h>

#include "test_worker.h"

namespace chiphost::tests {

// What a worker needs for a run of one kernel that waits until the test lets it go. If the run is given up, it goes on
// using all of this: see keep_for_ever.
class HeldRun {
public:
    HeldRun() {
        table.tasks = {2, CH_AIV};
        table.args();
        table.log[0] = address_of_word();
    }
    HeldRun(const HeldRun&) = delete;
    HeldRun& operator=(const HeldRun&) = delete;

    std::string try_run(TestWorker& worker, const isolate::Wait& wait = {}) {
        return worker.try_run(callable, table.raw, wait);
    }
    void await_kernel() const {
        while (__atomic_load_n(&word_, __ATOMIC_ACQUIRE) != 2) sched_yield();
    }
    void let_go() { __atomic_store_n(&word_, 1, __ATOMIC_RELEASE); }
    uint64_t address_of_word() const { return reinterpret_cast<uint64_t>(&word_); }

    const TestCallable callable{"graph_from_table"};
    Table table;

private:
    uint32_t word_ = 0;  // kernel_wait_for_word says what it means
};

}  // namespace chiphost::tests

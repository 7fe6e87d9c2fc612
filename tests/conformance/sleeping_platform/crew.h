// SPDX-License-Identifier: Apache-2.0
//
// The state that the three programs of this platform share in a launch: a chip whose AICPU threads are threads, each of
// which sleeps when it has nothing to do, until one of its cores has answered or another thread has signalled. Its
// strands cannot pause. Only answers and signals wake a thread, and nothing wakes it by chance.
#pragma once

#include <stdint.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "../third_platform/register_file.h"
#include "chiphost/abi/host_runtime.h"

namespace chiphost::platform {

// The registers are the third platform's, read and written by several threads here.
inline uint32_t read(RegisterFile* registers, uint32_t physical, Register which) {
    return __atomic_load_n(&registers->at(physical, which), __ATOMIC_ACQUIRE);
}
inline void write(RegisterFile* registers, uint32_t physical, Register which, uint32_t value) {
    __atomic_store_n(&registers->at(physical, which), value, __ATOMIC_RELEASE);
}

// Puts threads to sleep and wakes them. All functions may be called by any thread.
class Crew {
public:
    // The cores are stepped by one more thread, after those of the AICPU.
    static constexpr uint32_t cores = aicpu_threads_max;

    void wake(uint32_t sleeper) {
        const std::lock_guard<std::mutex> lock(mutex_);
        woken_[sleeper] = true;
        changed_[sleeper].notify_one();
    }
    void wake_all_but(uint32_t one) {
        for (uint32_t thread = 0; thread < aicpu_threads_max; ++thread) {
            if (thread != one) wake(thread);
        }
    }
    void wake_nobody() {}  // a defect: see tests/conformance/CMakeLists.txt
    void wake_owner(uint32_t physical) { wake(__atomic_load_n(&owner_[physical], __ATOMIC_RELAXED)); }
    void own(uint32_t physical, uint32_t thread) {
        __atomic_store_n(&owner_[physical], static_cast<uint8_t>(thread), __ATOMIC_RELAXED);
    }

    // Returns at once if the sleeper has been woken since it slept the last time.
    void sleep(uint32_t sleeper) {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_[sleeper].wait(lock, [&] { return woken_[sleeper]; });
        woken_[sleeper] = false;
    }
    void sleep_for(uint32_t sleeper, std::chrono::milliseconds most) {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_[sleeper].wait_for(lock, most, [&] { return woken_[sleeper]; });
        woken_[sleeper] = false;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_[aicpu_threads_max + 1];
    bool woken_[aicpu_threads_max + 1] = {};
    uint8_t owner_[cores_max] = {};  // by physical core: the AICPU thread that last wrote to it; atomic
};

struct ThreadPort : AicpuPort {
    Crew* crew;
    uint32_t thread;
};

struct CorePort : AicorePort {
    Crew* crew;
    uint32_t core;
    ch_run_progress* progress;
};

}  // namespace chiphost::platform

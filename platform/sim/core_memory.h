// SPDX-License-Identifier: Apache-2.0
//
// The memories of simulated cores that are no device memory: each core's own, and what the cores of a cluster share
// while they run a task.
#pragma once

#include <stdint.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "arena.h"
#include "chiphost/platform/chip.h"
#include "os/mutex.h"

namespace chiphost::platform {

// UB, L1, L0A, L0B and L0C of one core. Used by whoever steps the core.
class CoreMemory {
public:
    CoreMemory() = default;
    ~CoreMemory();
    CoreMemory(const CoreMemory&) = delete;
    CoreMemory& operator=(const CoreMemory&) = delete;

    // On a device that is checked: each memory lies in the arena by itself, which is borrowed. `given` is told of it in
    // every run: its name, address and size.
    using Given = std::function<void(const char* name, uint64_t address, uint64_t bytes)>;
    void be_checked(Arena* arena, Given given) {
        arena_ = arena;
        given_ = std::move(given);
    }

    // A run begins: its kernels find zeros.
    void begin_run() {
        fresh_ = false;
        for (bool& fresh : fresh_pieces_) fresh = false;
    }

    // The address of one of them, and its size; nullptr and 0 if the chip has none. Throws std::bad_alloc.
    void* at(LocalMemory which, uint64_t* out_bytes);

private:
    void* piece_at(uint32_t which, uint64_t bytes);

    Arena* arena_ = nullptr;
    Given given_;
    uint64_t pieces_[local_memory_count] = {};  // in the arena; 0: not taken yet
    bool fresh_pieces_[local_memory_count] = {};
    char* memory_ = nullptr;  // all of them, one after the other; mapped when a kernel first asks
    bool fresh_ = false;      // holds nothing of an earlier run
};

// Memory that kernels share by name while they run one block of a task. Any thread.
class SharedMemory {
public:
    SharedMemory() = default;
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;

    // A run begins: its tasks may have the numbers of the run before.
    void begin_run();

    // `bytes` under a name, zero when the block first asks for it. What another block had may be used again: the cores
    // that share this run one block at a time. Throws std::bad_alloc, and BadArgument if the block asked for
    // another size before.
    void* at(int64_t task, int32_t block, const char* name, uint64_t bytes);

private:
    struct Entry {
        std::string name;  // "": nobody's
        uint64_t bytes;
        std::unique_ptr<char, void (*)(void*)> memory;
    };

    os::Mutex mutex_;
    int64_t task_ CH_GUARDED_BY(mutex_) = -1;
    int32_t block_ CH_GUARDED_BY(mutex_) = 0;
    std::vector<Entry> entries_ CH_GUARDED_BY(mutex_);
};

}  // namespace chiphost::platform

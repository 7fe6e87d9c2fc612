// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include "child_protocol.h"
#include "os/descriptor.h"

namespace chiphost::isolate {

// The memory that a program and a child share: the control block, and the arena behind it. It has no name in the file
// system and is gone with its last user. Used by one thread at a time, but for the atomics of the control block.
class SharedMemory {
public:
    SharedMemory() = default;
    ~SharedMemory();
    SharedMemory(const SharedMemory&) = delete;
    SharedMemory& operator=(const SharedMemory&) = delete;

    // For the parent: makes new memory with an empty control block. 0, or the errno of what failed.
    [[nodiscard]] int create();
    // For the child: takes over what the parent made. 0, or an errno; EPROTO if it is not of this version.
    [[nodiscard]] int adopt(os::Descriptor file);

    ChildControl& control() { return *control_; }
    int file() const { return file_.get(); }

    // Makes the arena at least so large. Its contents stay; addresses in it may not. 0, or the errno of what failed.
    [[nodiscard]] int reserve(uint64_t bytes);
    // Maps what the other side has added. 0, or the errno of what failed.
    [[nodiscard]] int follow();
    // For a copy of the process that fork() has made: from now on it writes to pages of its own, at the same addresses.
    // System calls only. Without effect if the file's descriptor was closed by somebody.
    void become_private();
    // Gives memory back that a large message took; the arena keeps its size. Contents are lost.
    void trim();

    template <typename T = char>
    T* at(uint64_t offset) {
        return reinterpret_cast<T*>(arena_ + offset);
    }

private:
    int map_control();
    int map_arena(uint64_t bytes);

    os::Descriptor file_;
    ChildControl* control_ = nullptr;
    char* arena_ = nullptr;
    uint64_t mapped_ = 0;  // bytes of the arena
};

}  // namespace chiphost::isolate

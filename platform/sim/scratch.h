// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>
#include <stdlib.h>

#include <new>

#include "chiphost/align.h"

namespace chiphost::platform {

// Memory with an alignment of 64 that grows to the largest size asked for.
class Scratch {
public:
    Scratch() = default;
    ~Scratch() { free(memory_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    // Returns memory of undefined content, which is the scratch's until it grows. Throws std::bad_alloc.
    char* at_least(uint64_t bytes) {
        if (bytes > bytes_) {
            free(memory_);
            bytes_ = align_up(bytes);
            memory_ = static_cast<char*>(aligned_alloc(line_bytes, bytes_));
            if (!memory_) {
                bytes_ = 0;
                throw std::bad_alloc();
            }
        }
        return memory_;
    }

private:
    char* memory_ = nullptr;
    uint64_t bytes_ = 0;
};

}  // namespace chiphost::platform

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "chiphost/align.h"
#include "shared_memory.h"

namespace chiphost::isolate {

// Ranges of this process's memory that are copied into an arena. Ranges that overlap are one piece there too, so that
// the other side sees what it would see here. Pieces keep their place within a cache line.
class ArenaPieces {
public:
    void clear() { pieces_.clear(); }
    void add(const void* data, uint64_t bytes);  // not for 0 bytes

    // Gives everything that was added an offset, from *inout_end on.
    void place(uint64_t* inout_end);
    // The offset of something that was added.
    uint64_t offset_of(const void* data) const;
    void copy_in(SharedMemory& memory) const;

    // The next offset at which anything may begin.
    static uint64_t aligned(uint64_t offset) { return align_up(offset, alignment); }

private:
    static constexpr uint64_t alignment = 64;

    struct Piece {
        uint64_t begin;  // addresses
        uint64_t end;
        uint64_t at;  // offset in the arena
    };
    std::vector<Piece> pieces_;
};

}  // namespace chiphost::isolate

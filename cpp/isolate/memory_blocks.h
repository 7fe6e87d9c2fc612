// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

#include <map>
#include <string>

#include "chiphost/abi/error.h"
#include "status/status.h"

namespace chiphost::isolate {

// A block of memory on the library's side, as a handle knows it.
struct MemoryBlock {
    uint64_t address = 0;
    uint64_t bytes = 0;
    uint64_t number = 0;  // no other block of the instance ever has it: an address is used again
};

// The blocks that an instance has. Not thread-safe: the instance's turn guards it.
class MemoryBlocks {
public:
    MemoryBlock add(uint64_t address, uint64_t bytes) {
        const MemoryBlock block{address, bytes, ++made_};
        blocks_[block.number] = block;
        return block;
    }
    void remove(const MemoryBlock& block) { blocks_.erase(block.number); }
    bool has(const MemoryBlock& block) const { return blocks_.count(block.number) != 0; }

    // CH_INVALID_ARGUMENT if the block was freed, or a range of it does not lie in it. `where` is for the message.
    Status check(const MemoryBlock& block, uint64_t offset, uint64_t bytes, const std::string& where,
                 ch_error* out_error) const;

    // Takes all of them out, calling drop(address) for each.
    template <typename Drop>
    void clear(Drop&& drop) {
        for (const auto& [number, block] : blocks_) drop(block.address);
        blocks_.clear();
    }

private:
    std::map<uint64_t, MemoryBlock> blocks_;
    uint64_t made_ = 0;
};

// Memory of this process, aligned to memory_alignment and all zero; nullptr if there is none.
constexpr uint64_t memory_alignment = 64;
void* allocate_block(uint64_t bytes);
void free_block(void* block);

}  // namespace chiphost::isolate

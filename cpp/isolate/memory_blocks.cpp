// SPDX-License-Identifier: Apache-2.0
#include "memory_blocks.h"

#include <stdlib.h>
#include <string.h>

#include "chiphost/align.h"
#include "status/report.h"

namespace chiphost::isolate {

Status MemoryBlocks::check(const MemoryBlock& block, uint64_t offset, uint64_t bytes, const std::string& where,
                           ch_error* out_error) const {
    const auto number = [](uint64_t value) { return static_cast<unsigned long long>(value); };
    if (!has(block)) {
        return report(out_error, CH_INVALID_ARGUMENT, where, "the memory at 0x%llx (%llu bytes) was freed",
                      number(block.address), number(block.bytes));
    }
    if (offset <= block.bytes && bytes <= block.bytes - offset) return CH_OK;
    return report(out_error, CH_INVALID_ARGUMENT, where, "wanted %llu bytes from byte %llu on, of memory that has %llu",
                  number(bytes), number(offset), number(block.bytes));
}

// The address that calloc has returned is noted before the block. Pages that nobody touches take no memory.
void* allocate_block(uint64_t bytes) {
    if (bytes > SIZE_MAX - 2 * memory_alignment) return nullptr;
    void* memory = calloc(1, bytes + 2 * memory_alignment);
    if (!memory) return nullptr;
    const uint64_t behind_note = reinterpret_cast<uint64_t>(memory) + sizeof memory;
    const uint64_t block = align_up(behind_note, memory_alignment);
    memcpy(reinterpret_cast<char*>(block) - sizeof memory, &memory, sizeof memory);
    return reinterpret_cast<void*>(block);
}

void free_block(void* block) {
    void* memory = nullptr;
    memcpy(&memory, static_cast<char*>(block) - sizeof memory, sizeof memory);
    free(memory);
}

}  // namespace chiphost::isolate

// SPDX-License-Identifier: Apache-2.0
#include "core_memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <new>

#include "chiphost/align.h"
#include "chiphost/require.h"

namespace chiphost::platform {

namespace {

constexpr uint64_t page_bytes = 4096;  // what the addresses are aligned to
constexpr uint64_t alignment = 64;
constexpr uint64_t kept_bytes = 1 << 20;  // of shared memory, from run to run

// Where a memory begins in those of its core; local_memory_count: the end.
uint64_t offset_of(uint32_t which) {
    uint64_t offset = 0;
    for (uint32_t before = 0; before < which; ++before) offset += align_up(chip.local_memory_bytes[before], page_bytes);
    return offset;
}

}  // namespace

CoreMemory::~CoreMemory() {
    if (memory_) munmap(memory_, offset_of(local_memory_count));
    for (const uint64_t piece : pieces_) {
        if (piece != 0) arena_->give_back(piece);
    }
}

void* CoreMemory::at(LocalMemory which, uint64_t* out_bytes) {
    const auto index = static_cast<uint32_t>(which);
    *out_bytes = index < local_memory_count ? chip.local_memory_bytes[index] : 0;
    if (*out_bytes == 0) return nullptr;
    if (arena_) return piece_at(index, *out_bytes);
    const uint64_t all = offset_of(local_memory_count);
    if (!memory_) {
        void* mapped = mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (mapped == MAP_FAILED) throw std::bad_alloc();
        memory_ = static_cast<char*>(mapped);
    } else if (!fresh_ && madvise(memory_, all, MADV_DONTNEED) != 0) {
        memset(memory_, 0, all);  // locked in memory, for example
    }
    fresh_ = true;
    return memory_ + offset_of(index);
}

void* CoreMemory::piece_at(uint32_t which, uint64_t bytes) {
    static const char* const names[local_memory_count] = {"UB", "L1", "L0A", "L0B", "L0C"};
    uint64_t& piece = pieces_[which];
    if (piece == 0) piece = arena_->take(bytes);
    if (piece == 0) throw std::bad_alloc();
    if (!fresh_pieces_[which]) {
        memset(reinterpret_cast<void*>(piece), 0, bytes);
        given_(names[which], piece, bytes);
    }
    fresh_pieces_[which] = true;
    return reinterpret_cast<void*>(piece);
}

void SharedMemory::begin_run() {
    const os::MutexLock lock(mutex_);
    task_ = -1;
    uint64_t kept = 0;
    for (Entry& entry : entries_) {
        kept += entry.bytes;
        if (kept <= kept_bytes) continue;
        entry.memory.reset();
        entry.bytes = 0;
    }
}

void* SharedMemory::at(int64_t task, int32_t block, const char* name, uint64_t bytes) {
    const os::MutexLock lock(mutex_);
    if (task != task_ || block != block_) {
        for (Entry& entry : entries_) entry.name.clear();
        task_ = task;
        block_ = block;
    }
    require(*name != '\0', "shared memory: wanted a name");
    Entry* unused = nullptr;
    for (Entry& entry : entries_) {
        if (entry.name == name) {
            require(entry.bytes == bytes, "shared memory \"%s\": it has %llu bytes, and was asked for with %llu", name,
                    static_cast<unsigned long long>(entry.bytes), static_cast<unsigned long long>(bytes));
            return entry.memory.get();
        }
        // One of equal size, if there is.
        if (entry.name.empty() && (!unused || unused->bytes != bytes)) unused = &entry;
    }
    if (bytes > UINT64_MAX - alignment) throw std::bad_alloc();
    std::string named(name);
    if (!unused) unused = &entries_.emplace_back(Entry{"", 0, {nullptr, free}});
    if (unused->bytes != bytes || !unused->memory) {
        unused->memory.reset();
        unused->bytes = 0;
        unused->memory.reset(static_cast<char*>(aligned_alloc(alignment, align_up(bytes ? bytes : 1, alignment))));
        if (!unused->memory) throw std::bad_alloc();
        unused->bytes = bytes;
    }
    memset(unused->memory.get(), 0, bytes);
    unused->name = std::move(named);
    return unused->memory.get();
}

}  // namespace chiphost::platform

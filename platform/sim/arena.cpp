// SPDX-License-Identifier: Apache-2.0
#include "arena.h"

#include <string.h>
#include <sys/mman.h>

#include <algorithm>

#include "chiphost/align.h"

namespace chiphost::platform {

namespace {

constexpr uint64_t page_bytes = 4096;
constexpr uint64_t most_bytes = uint64_t{1} << 38;
constexpr uint64_t least_bytes = uint64_t{64} << 20;

}  // namespace

Arena::Arena(uint64_t bytes_max) {
    uint64_t bytes = align_up(std::min(most_bytes, std::max(bytes_max, most_bytes / 64) * 2), page_bytes);
    for (; bytes >= least_bytes; bytes = align_up(bytes / 2, page_bytes)) {
        void* memory =
            mmap(nullptr, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) continue;
        begin_ = next_ = reinterpret_cast<uint64_t>(memory);
        end_ = begin_ + bytes;
        return;
    }
}

Arena::~Arena() {
    if (begin_) munmap(reinterpret_cast<void*>(begin_), 2 * (end_ - begin_));
}

uint64_t Arena::take(uint64_t bytes) {
    if (next_ == 0 || bytes > end_ - next_ || end_ - next_ - bytes < 2 * gap_bytes) return 0;
    const uint64_t address = next_ + gap_bytes;
    pieces_[address] = bytes;
    next_ = align_up(address + bytes, page_bytes);
    return address;
}

void Arena::give_back(uint64_t address) {
    const auto found = pieces_.find(address);
    if (found == pieces_.end()) return;
    void* const memory = reinterpret_cast<void*>(address);
    const uint64_t bytes = align_up(found->second, page_bytes);
    if (madvise(memory, bytes, MADV_DONTNEED) != 0) memset(memory, 0, bytes);  // locked in memory, for example
    pieces_.erase(found);
}

void Arena::begin_run() {
    next_ = pieces_.empty() ? begin_ : align_up(pieces_.rbegin()->first + pieces_.rbegin()->second, page_bytes);
}

}  // namespace chiphost::platform

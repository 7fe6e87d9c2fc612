// SPDX-License-Identifier: Apache-2.0
#include "arena_pieces.h"

#include <string.h>

#include <algorithm>
#include <iterator>

namespace chiphost::isolate {

void ArenaPieces::add(const void* data, uint64_t bytes) {
    const auto begin = reinterpret_cast<uint64_t>(data);
    pieces_.push_back({begin, begin + bytes, 0});
}

void ArenaPieces::place(uint64_t* inout_end) {
    std::sort(pieces_.begin(), pieces_.end(), [](const Piece& a, const Piece& b) { return a.begin < b.begin; });
    size_t merged = 0;
    for (const Piece& piece : pieces_) {
        if (merged && piece.begin < pieces_[merged - 1].end) {
            pieces_[merged - 1].end = std::max(pieces_[merged - 1].end, piece.end);
        } else {
            pieces_[merged++] = piece;
        }
    }
    pieces_.resize(merged);
    for (Piece& piece : pieces_) {
        piece.at = aligned(*inout_end) + piece.begin % alignment;
        *inout_end = piece.at + (piece.end - piece.begin);
    }
}

uint64_t ArenaPieces::offset_of(const void* data) const {
    const auto address = reinterpret_cast<uint64_t>(data);
    const auto after = std::upper_bound(pieces_.begin(), pieces_.end(), address,
                                        [](uint64_t wanted, const Piece& piece) { return wanted < piece.begin; });
    const Piece& piece = *std::prev(after);
    return piece.at + (address - piece.begin);
}

void ArenaPieces::copy_in(SharedMemory& memory) const {
    for (const Piece& piece : pieces_) {
        memcpy(memory.at(piece.at), reinterpret_cast<const void*>(piece.begin), piece.end - piece.begin);
    }
}

}  // namespace chiphost::isolate

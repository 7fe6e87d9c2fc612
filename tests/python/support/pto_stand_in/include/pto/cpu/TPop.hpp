// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pto/cpu/TPush.hpp>

namespace pto {

// A consumer of halves gets the one with its number; it must not pop the next before both have taken theirs.
template <typename Pipe, typename TileType>
void TPOP_IMPL(Pipe& pipe, TileType& tile) {
    auto& state = pipe.state();
    std::unique_lock<std::mutex> lock(state.mutex);
    state.changed.wait(lock, [&] { return state.occupied > 0; });
    const int slot = state.next_out;
    const uint32_t bytes = Pipe::slot_bytes / pipe.halves;
    memcpy(tile.data(), slot_of(pipe, slot) + (pipe.halves == 2 ? get_subblockid() * bytes : 0), bytes);
    if (--state.to_read[slot] > 0) {
        // The other half is still to be taken.
        state.changed.wait(lock, [&, before = state.taken] { return state.taken != before; });
        return;
    }
    state.next_out = (slot + 1) % Pipe::slot_count;
    --state.occupied;
    ++state.taken;
    lock.unlock();
    state.changed.notify_all();
}

}  // namespace pto

// SPDX-License-Identifier: Apache-2.0
//
// Tiles from one core of a cluster to another, through slots that are occupied or not.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <pto/cpu/TAssign.hpp>
#include <pto/cpu/TLoad.hpp>
#include <pto/cpu/TMov.hpp>
#include <pto/cpu/TStore.hpp>

namespace pto {

// Where the slots are: in memory that the state has, for one consumer or for one half of the rows each; or in the
// consumer's own, at an offset.
enum class Slots { shared, in_halves, in_ub, in_l1 };

template <int Number, Slots Where, uint32_t SlotBytes, int SlotCount = 2>
struct Queue {
    static constexpr Slots where = Where;
    static constexpr uint32_t slot_bytes = SlotBytes;
    static constexpr int slot_count = SlotCount;
    static constexpr int halves = Where == Slots::in_halves ? 2 : 1;

    struct State {
        std::mutex mutex;
        std::condition_variable changed;
        int next_in = 0, next_out = 0, occupied = 0;
        unsigned taken = 0;  // tiles, since the begin
        int to_read[SlotCount] = {};
        char slots[SlotCount][SlotBytes] = {};
    };
    static State& state() {
        char key[64];
        snprintf(key, sizeof key, "pipe-%llu-%u-%d", static_cast<unsigned long long>(get_task_cookie()),
                 get_block_idx(), Number);
        // Zeros are a state in which nothing is occupied.
        return *static_cast<State*>(cpu_sim::ResolveSharedStorageHook()(key, sizeof(State)));
    }
};

// A slot's memory as a tile of bytes.
template <typename Pipe>
char* slot_of(Pipe& pipe, int slot) {
    constexpr uint32_t bytes = Pipe::slot_bytes;
    if constexpr (Pipe::where == Slots::in_ub || Pipe::where == Slots::in_l1) {
        Tile<Pipe::where == Slots::in_ub ? TileType::Vec : TileType::Mat, char, 1, bytes> tile;
        TASSIGN(tile, slot * bytes);
        return tile.data();
    } else {
        return pipe.state().slots[slot];
    }
}

template <typename Pipe, typename TileType>
void TPUSH_IMPL(Pipe& pipe, TileType& tile) {
    auto& state = pipe.state();
    int slot = 0;
    {
        std::unique_lock<std::mutex> lock(state.mutex);
        state.changed.wait(lock, [&] { return state.occupied < Pipe::slot_count; });
        slot = state.next_in;
    }
    memcpy(slot_of(pipe, slot), tile.data(), Pipe::slot_bytes);
    {
        std::lock_guard<std::mutex> lock(state.mutex);
        state.next_in = (slot + 1) % Pipe::slot_count;
        state.to_read[slot] = pipe.halves;
        ++state.occupied;
    }
    state.changed.notify_all();
}

}  // namespace pto

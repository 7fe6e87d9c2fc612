// SPDX-License-Identifier: Apache-2.0
#pragma once

#define PTO_STAND_IN 1

// clang-format off
#include "pto/common/cpu_stub.hpp"
#include <pto/common/pto_tile.hpp>
#include <pto/cpu/TAssign.hpp>
#include <pto/cpu/TPop.hpp>
// clang-format on

namespace pto {

template <typename T, typename Address>
void TASSIGN(T& tile, Address address) {
    TASSIGN_IMPL(tile, address);
}
template <typename Pipe, typename TileType>
void TPUSH(Pipe& pipe, TileType& tile) {
    TPUSH_IMPL(pipe, tile);
}
template <typename Pipe, typename TileType>
void TPOP(Pipe& pipe, TileType& tile) {
    TPOP_IMPL(pipe, tile);
}

}  // namespace pto

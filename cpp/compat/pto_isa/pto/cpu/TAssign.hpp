// SPDX-License-Identifier: Apache-2.0
//
// Found before PTO-ISA's header of this name: a tile must lie in its memory as a whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <pto/common/pto_tile.hpp>
#include <pto/cpu/NPUMemoryModel.hpp>

#define TTILE_ASSIGN

namespace chiphost::pto {

// The memory of the tiles of a type. Types that have no memory of their own are in UB.
template <typename Tile>
constexpr LocalMemory memory_of() {
    using ::pto::TileType;
    switch (Tile::Loc) {
        case TileType::Mat:
            return LocalMemory::l1;
        case TileType::Left:
            return LocalMemory::l0a;
        case TileType::Right:
            return LocalMemory::l0b;
        case TileType::Acc:
            return LocalMemory::l0c;
        default:
            return LocalMemory::ub;
    }
}

template <typename Tile>
constexpr uint64_t bytes_of() {
    if constexpr (requires { Tile::Rows* Tile::Cols; }) {
        return uint64_t{Tile::Rows} * uint64_t{Tile::Cols} * sizeof(typename Tile::DType);
    } else {
        return sizeof(typename Tile::DType);
    }
}

template <typename Tile>
typename Tile::DType* place_of(const Region& region, uint64_t address) {
    return reinterpret_cast<typename Tile::DType*>(address_in(memory_of<Tile>(), region, address, bytes_of<Tile>()));
}

}  // namespace chiphost::pto

namespace pto {

// A tile gets an offset in its memory, a tensor in device memory an address.
template <typename T, typename AddrType>
AICORE void TASSIGN_IMPL(T& obj, AddrType addr) {
    if constexpr (is_global_data_v<T>) {
        static_assert(std::is_same_v<std::remove_cv_t<std::remove_pointer_t<AddrType>>, typename T::DType>,
                      "TASSIGN: the address must be one of the tensor's elements");
        obj.SetAddr(addr);
    } else {
        obj.data() = chiphost::pto::place_of<T>(chiphost::pto::region(chiphost::pto::memory_of<T>()),
                                                static_cast<uint64_t>(addr));
    }
}

inline void NPU_MEMORY_INIT(NPUArch arch = NPUMemoryModel::Instance().GetArch()) {
    NPUMemoryModel::Instance().Initialize(arch);
}
inline void NPU_MEMORY_CLEAR() {
    NPUMemoryModel::Instance().Clear();
}

}  // namespace pto

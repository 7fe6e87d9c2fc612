// SPDX-License-Identifier: Apache-2.0
//
// Found before PTO-ISA's header of this name: a core's own memories, which are the simulated core's and not the
// thread's, and as large as the chip says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>

#include "../../running_kernel.h"

#define PTO_NPU_MEMORY_MODEL_HPP

namespace pto {

struct ArchMemorySizes {  // bytes
    std::size_t ubSize, l1Size, l0aSize, l0bSize, l0cSize;
};
enum class NPUArch { A2A3, A5 };
enum class MemoryRegion { UB, L1, L0A, L0B, L0C };

// Holds no data of its own: every call is about the core that runs the kernel.
class NPUMemoryModel {
public:
    static NPUMemoryModel& Instance() {
        static constexpr NPUMemoryModel instance{};
        return const_cast<NPUMemoryModel&>(instance);
    }

    // The chip decides, not the kernel: a kernel that names another chip throws.
    static void SetDefaultArch(NPUArch arch) { Instance().Initialize(arch); }
    void Initialize(NPUArch arch) {
        chiphost::require(arch == GetArch(), "NPUMemoryModel: wanted the memories of %s, the chip has those of %s",
                          arch == NPUArch::A5 ? "A5" : "A2A3", arch == NPUArch::A5 ? "A2A3" : "A5");
    }
    void EnsureInitialized() {}
    bool IsInitialized() const { return true; }
    NPUArch GetArch() const { return GetSizes().ubSize >= a5_ub_bytes ? NPUArch::A5 : NPUArch::A2A3; }
    ArchMemorySizes GetSizes() const {
        return {bytes(MemoryRegion::UB), bytes(MemoryRegion::L1), bytes(MemoryRegion::L0A), bytes(MemoryRegion::L0B),
                bytes(MemoryRegion::L0C)};
    }

    // Element T at an offset in bytes. Throws chiphost::BadArgument if it lies outside.
    template <typename T>
    T* GetPointer(MemoryRegion region, std::size_t offset) {
        const auto which = static_cast<chiphost::LocalMemory>(region);
        return reinterpret_cast<T*>(chiphost::pto::address_in(which, chiphost::pto::region(which), offset, sizeof(T)));
    }
    char* GetUBBase() { return base(MemoryRegion::UB); }
    char* GetL1Base() { return base(MemoryRegion::L1); }
    char* GetL0ABase() { return base(MemoryRegion::L0A); }
    char* GetL0BBase() { return base(MemoryRegion::L0B); }
    char* GetL0CBase() { return base(MemoryRegion::L0C); }

    void Clear() {
        for (auto region :
             {MemoryRegion::UB, MemoryRegion::L1, MemoryRegion::L0A, MemoryRegion::L0B, MemoryRegion::L0C}) {
            std::memset(base(region), 0, bytes(region));
        }
    }
    void Reset() { Clear(); }

private:
    static constexpr std::size_t a5_ub_bytes = 256 << 10;

    static char* base(MemoryRegion region) {
        return chiphost::pto::region(static_cast<chiphost::LocalMemory>(region)).base;
    }
    static std::size_t bytes(MemoryRegion region) {
        return chiphost::pto::region(static_cast<chiphost::LocalMemory>(region)).bytes;
    }
};

}  // namespace pto

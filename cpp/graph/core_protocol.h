// SPDX-License-Identifier: Apache-2.0
//
// How the AICPU and a core talk: a handshake through device memory, then two registers.
//
// The AICPU writes the number of a dispatch to the core's DATA_MAIN_BASE. The core answers in COND: first with the
// number (it has taken the dispatch), later with the number and the finish bit. A core has two payload areas, used by
// even and odd numbers, so the next dispatch can be written while one runs; the answer for a dispatch implies that all
// earlier ones have finished. Values are those of the chip's own programs.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <atomic>

#include "chiphost/abi/device_orchestration.h"
#include "chiphost/kernel.h"

namespace chiphost::core_protocol {

// The cluster of a core of a launch: cores 0..block_dim-1 are AIC, then come two AIV for each.
constexpr uint32_t cluster_of(uint32_t core, uint32_t block_dim) {
    return core < block_dim ? core : (core - block_dim) / 2;
}

// DATA_MAIN_BASE, besides dispatch numbers 1..dispatch_max.
constexpr uint32_t main_base_idle = 0x7FFFFFFD;
constexpr uint32_t main_base_exit = 0x7FFFFFF0;
constexpr uint32_t dispatch_max = 0x7FFFFFEF;

// COND.
constexpr uint32_t cond_finish_bit = 0x80000000;
constexpr uint32_t cond_idle = 0x7FFFFFFF;
constexpr uint32_t cond_exited = 0x7FFFFFFE;

// FAST_PATH, on chips that have it.
constexpr uint32_t fast_path_open = 0xE;
constexpr uint32_t fast_path_close = 0xF;

// Who releases the cores of a launch that was cut off has to know which of them look at their registers. COND does not
// say so: until a core has taken its registers it holds what the core of an earlier launch wrote last.
enum class RegistersUse : uint32_t { none = 0, open = 1, told_to_exit = 2 };

// How a core gets to know its payloads and the AICPU its register window. One for each core, in device memory.
struct alignas(64) Handshake {
    std::atomic<uint32_t> aicpu_ready;        // AICPU: 1, `payloads` is valid
    std::atomic<uint32_t> aicore_regs_ready;  // core: 1, physical_core and core_type are valid
    std::atomic<uint32_t> aicpu_regs_ready;   // AICPU: 1, the registers are open; launch_over
    std::atomic<uint32_t> aicore_done;        // core: its number + 1, it waits for dispatches
    uint64_t payloads;                        // device address of Payload[2]
    uint32_t physical_core;
    uint32_t core_type;
    std::atomic<RegistersUse> registers;  // AICPU: what it has done with the core's registers
};
static_assert(sizeof(Handshake) == 64, "Handshake is a device format");

// Handshake::aicpu_regs_ready for a core that comes to a launch that is over: nobody will use its registers.
constexpr uint32_t launch_over = 2;

// How a kernel ended.
enum class KernelStatus : uint8_t { ok = 0, threw = 1 };

constexpr uint32_t payload_args_max = 160;
static_assert(CH_MAX_TASK_TENSORS + CH_MAX_TASK_SCALARS <= payload_args_max, "a task's arguments must fit");
constexpr uint32_t fault_text_bytes = 256;

// One dispatch: which kernel, with what. Written by the AICPU, `status` and `fault_text` by the core.
struct alignas(64) Payload {
    uint64_t kernel;  // address of kernel_entry
    KernelStatus status;
    uint8_t cores;  // of the cluster that the task uses, as in graph::Task
    uint16_t func_id;
    uint32_t submission;  // low bits of graph::Task::submission
    KernelContext context;
    uint64_t context_address;  // what kernels find at args[-1]
    uint64_t args[payload_args_max];
    char fault_text[fault_text_bytes];
};
static_assert(CH_MAX_FUNC_ID <= UINT16_MAX);
static_assert(sizeof(Payload) % 64 == 0 && offsetof(Payload, args) == 64, "Payload is a device format");

}  // namespace chiphost::core_protocol

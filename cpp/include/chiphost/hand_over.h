// SPDX-License-Identifier: Apache-2.0
//
// For kernels of one MIX task: tiles handed from a core of the cluster to another while both kernels run.
//
// Between the AIC and each AIV there is a queue in both directions. A queue holds two tiles of up to
// hand_over_tile_bytes; pushing to a full one waits, popping from an empty one too. Every tile that is pushed should be
// popped by the same task: what is left is dropped when the cluster gets its next MIX task.
//
// Including this file marks the kernel: the simulated chip gives it a stack of its own, so that it can wait.
//
// Threads: the kernel's.
// Ownership: a tile is copied; its memory is the caller's again when the function returns.
#pragma once

#include <stdint.h>
#include <string.h>

#include "abi/callable.h"
#include "kernel.h"
#include "kernel_services.h"
#include "require.h"

#ifdef __CCE_AICORE__
// There, a core's cache does not see what another core has written, and nothing can be thrown.
#error "hand_over.h is for simulated chips; on a real one hand tiles over with the calls of the vendor's compiler"
#endif

// Marks the kernel also if it calls nothing of what follows.
__attribute__((used)) static const char* const chiphost_hand_over_mark = &chiphost_kernel_hands_over;

namespace chiphost {

constexpr uint32_t hand_over_depth = 2;           // tiles that a queue holds
constexpr uint32_t hand_over_tile_bytes = 32768;  // most of a tile

// One queue, in device memory. The counters only grow; one side writes each.
struct HandOverQueue {
    alignas(64) uint32_t pushed;                                    // tiles so far; written by the one that pushes
    alignas(64) uint32_t popped;                                    // tiles so far; written by the one that pops
    alignas(64) uint32_t bytes[hand_over_depth];                    // of each tile
    alignas(64) char tiles[hand_over_depth][hand_over_tile_bytes];  // their content
};

// The queues of a cluster.
struct HandOverArea {
    HandOverQueue to_aiv[2];  // from the AIC to each AIV
    HandOverQueue to_aic[2];  // from each AIV to the AIC
};

namespace hand_over_detail {

// A core of a cluster as KernelServices::waits_for takes it.
constexpr uint32_t aic = 1;
__aicore__ inline uint32_t aiv_number(uint32_t number) {
    return 2u << number;
}

// `other` is the core that changes the counter.
__aicore__ inline void wait_for_change(const KernelContext& context, const uint32_t* counter, uint32_t old,
                                       uint32_t other) {
    while (__atomic_load_n(counter, __ATOMIC_ACQUIRE) == old) {
        if (context.services != 0) pause_kernel(context, other);
    }
}

__aicore__ inline void change(const KernelContext& context, uint32_t* counter, uint32_t value) {
    __atomic_store_n(counter, value, __ATOMIC_RELEASE);
    if (context.services != 0) notify_cluster(context);
}

__aicore__ inline HandOverQueue& queue_of(HandOverQueue* queues, uint32_t aiv) {
    require(aiv < 2, "hand_over: wanted AIV 0 or 1, found %u", aiv);
    return queues[aiv];
}

// The cluster's area, for a function that cores of one type may call.
__aicore__ inline HandOverArea& area(const __gm__ int64_t* args, ch_core_type caller) {
    const uint64_t address = kernel_context(args).hand_over;
    require(kernel_context(args).core_type == caller, "hand_over: this function is for an %s, core %d is none",
            caller == CH_AIC ? "AIC" : "AIV", kernel_context(args).core);
    require(address != 0, "hand_over: the task uses one core of the cluster only");
    return *reinterpret_cast<HandOverArea*>(address);
}

__aicore__ inline void push(const __gm__ int64_t* args, HandOverQueue& queue, uint32_t other, const void* tile,
                            uint32_t bytes) {
    require(bytes <= hand_over_tile_bytes, "hand_over: a tile has at most %u bytes, found %u", hand_over_tile_bytes,
            bytes);
    const uint32_t number = queue.pushed;
    wait_for_change(kernel_context(args), &queue.popped, number - hand_over_depth, other);
    queue.bytes[number % hand_over_depth] = bytes;
    memcpy(queue.tiles[number % hand_over_depth], tile, bytes);
    change(kernel_context(args), &queue.pushed, number + 1);
}

__aicore__ inline void pop(const __gm__ int64_t* args, HandOverQueue& queue, uint32_t other, void* tile,
                           uint32_t bytes) {
    const uint32_t number = queue.popped;
    wait_for_change(kernel_context(args), &queue.pushed, number, other);
    require(queue.bytes[number % hand_over_depth] == bytes, "hand_over: wanted a tile of %u bytes, found one of %u",
            bytes, queue.bytes[number % hand_over_depth]);
    memcpy(tile, queue.tiles[number % hand_over_depth], bytes);
    change(kernel_context(args), &queue.popped, number + 1);
}

}  // namespace hand_over_detail

// Hands a tile from the AIC to an AIV of its cluster. It waits while the queue is full.
//
// args: what kernel_entry was given.
// aiv: 0 or 1.
// tile: the first of its bytes.
// bytes: at most `hand_over_tile_bytes`.
// Errors: throws BadArgument on another core than the AIC, in a task of one core only, and for other values; while it
// waits, as KernelServices::pause.
__aicore__ inline void push_to_aiv(const __gm__ int64_t* args, uint32_t aiv, const void* tile, uint32_t bytes) {
    using namespace hand_over_detail;
    push(args, queue_of(area(args, CH_AIC).to_aiv, aiv), aiv_number(aiv), tile, bytes);
}
// Takes a tile on the AIC that an AIV of its cluster has handed over. It waits while there is none.
//
// args: what kernel_entry was given.
// aiv: 0 or 1.
// tile: room for it.
// bytes: those of the push.
// Errors: throws BadArgument on another core than the AIC, in a task of one core only, and for other values; while it
// waits, as KernelServices::pause.
__aicore__ inline void pop_from_aiv(const __gm__ int64_t* args, uint32_t aiv, void* tile, uint32_t bytes) {
    using namespace hand_over_detail;
    pop(args, queue_of(area(args, CH_AIC).to_aic, aiv), aiv_number(aiv), tile, bytes);
}

// Hands a tile from an AIV to the AIC of its cluster. It waits while the queue is full.
//
// args: what kernel_entry was given.
// tile: the first of its bytes.
// bytes: at most `hand_over_tile_bytes`.
// Errors: throws BadArgument on the AIC, in a task of one core only, and for other values; while it
// waits, as KernelServices::pause.
__aicore__ inline void push_to_aic(const __gm__ int64_t* args, const void* tile, uint32_t bytes) {
    using namespace hand_over_detail;
    push(args, area(args, CH_AIV).to_aic[get_sub_block_id(args)], aic, tile, bytes);
}
// Takes a tile on an AIV that the AIC of its cluster has handed over. It waits while there is none.
//
// args: what kernel_entry was given.
// tile: room for it.
// bytes: those of the push.
// Errors: throws BadArgument on the AIC, in a task of one core only, and for other values; while it
// waits, as KernelServices::pause.
__aicore__ inline void pop_from_aic(const __gm__ int64_t* args, void* tile, uint32_t bytes) {
    using namespace hand_over_detail;
    pop(args, area(args, CH_AIV).to_aiv[get_sub_block_id(args)], aic, tile, bytes);
}

}  // namespace chiphost

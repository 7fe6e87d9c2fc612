// SPDX-License-Identifier: Apache-2.0
//
// The host leaves this in device memory for the two programs besides the ch_launch: where the registers are, how many
// AICPU threads take part, and what the host has written since the last launch.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "chiphost/abi/error.h"

namespace chiphost::platform {

constexpr uint32_t launch_record_format = 2;

enum class LaunchVerb : uint32_t {
    open = 1,   // one thread: makes the AICPU program's context
    run = 2,    // several threads: a launch
    close = 3,  // one thread: destroys the context
};

struct MemoryRange {
    uint64_t address;
    uint64_t bytes;
};

// Addresses are device addresses. Each part is written by one side only and has cache lines of its own.
struct alignas(64) LaunchRecord {
    // The host, before the launch.
    uint32_t format;  // launch_record_format
    LaunchVerb verb;
    char chip[16];            // Chip::name
    uint64_t context;         // what `open` has made
    uint64_t register_bases;  // uint64_t for each physical core
    uint64_t cross_core;      // what cores signal each other with; 0: nothing is needed
    uint64_t launch;          // ch_launch
    uint64_t ranges;          // MemoryRange[]: what the host has written since the last launch
    uint32_t range_count;
    uint32_t threads;   // AICPU threads that take part: the first that arrive
    uint64_t stall_ns;  // a launch in which nothing happens for so long has stalled

    // The AICPU.
    alignas(64) uint32_t arrived;  // threads, counted
    uint32_t begun;                // 1: the launch can be stepped
    uint32_t left;                 // threads that have left the launch
    uint32_t reserved;
    uint64_t new_context;  // of `open`
    ch_error error;        // what is wrong with the launch as such

    // The host, during the launch.
    alignas(64) uint32_t cancel;  // 1: end early
};
static_assert(sizeof(LaunchRecord) == 2560 && offsetof(LaunchRecord, arrived) == 128 &&
                  offsetof(LaunchRecord, cancel) == 2496,
              "LaunchRecord is a device format");

// The vendor's loader of AICPU programs is given this: it reads the address of a LibraryArgs from here and passes the
// rest on to the program.
struct AicpuLaunchArgs {
    uint64_t reserved[5];
    uint64_t library;  // LibraryArgs
    uint64_t record;   // LaunchRecord
};
struct LibraryArgs {
    uint64_t reserved[12];
    uint64_t data;  // of the AICPU program's file
    uint64_t bytes;
    uint64_t device_id;
    uint64_t more_reserved[5];
};
static_assert(offsetof(AicpuLaunchArgs, library) == 40 && offsetof(LibraryArgs, data) == 96, "the vendor's offsets");

}  // namespace chiphost::platform

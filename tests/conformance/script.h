// SPDX-License-Identifier: Apache-2.0
//
// Records in device memory by which the suite's host half and its AICPU program talk to each other.
#pragma once

#include <stdint.h>

#include "chiphost/abi/error.h"

namespace chiphost::conformance {

// The task of a launch. In each, every thread shakes hands with its cores first and sends them home at the end.
enum class Work : uint32_t {
    nothing,              // ends; a thread later than the one before it
    dispatch,             // every core runs the kernel `rounds` times
    dispatch_ahead,       // like dispatch, but the next dispatch is written while one runs
    overwrite,            // like dispatch, but the value written to the register just before is no dispatch
    strand,               // thread 0 runs a strand that pauses `rounds` times
    signal,               // all threads sleep until thread 1 signals
    orchestrations,       // thread 0 loads the libraries
    report_status,        // thread 0 reports a fault
    never_end,            // thread 0 polls for ever
    never_end_in_strand,  // like never_end, from inside a strand
    abandon_strand,       // like never_end_in_strand, and the strand does not end with the launch
    sleep_for_ever,       // all threads sleep, nobody wakes them
    forget,               // thread 0 makes the content of `memory` count for nothing
};

constexpr uint32_t cores_max = 128;
constexpr uint32_t threads_max = 8;
constexpr uint32_t libraries_max = 2;
constexpr uint32_t strand_words = 32;  // words that a strand keeps on its stack
constexpr uint32_t mark_bytes = 16;    // at the end of a library whose file is looked for
constexpr uint32_t kernel_args = 160;  // words of a dispatch: as many as there is room for

// The result of one AICPU thread.
struct alignas(64) ThreadRecord {
    uint32_t begun;
    uint32_t done;
    uint32_t waited;     // atomic; Work::signal: times that the thread went to sleep
    uint32_t woken;      // atomic; Work::signal: the thread was stepped after the signal,
    uint32_t signalled;  // and by the end of thread 1's patience
};

// The answers of one core, as the AICPU saw them.
struct CoreRecord {
    uint32_t physical;
    uint32_t type;
    uint32_t acknowledged;  // dispatches
    uint32_t finished;      // dispatches
    uint32_t surprises;     // answers that came unexpected
    uint32_t surprise;      // the last of these
    uint32_t threw;         // dispatches
    uint32_t reserved;
    char fault[128];
};

// The calls of a kernel, as the kernel saw them. One record for each core.
struct alignas(64) KernelRecord {
    uint64_t calls;
    uint64_t last_dispatch;
    uint64_t out_of_order;  // dispatches that were not the one after the last
    uint64_t bad_args;      // arguments that are not those of the dispatch
    uint64_t answer;        // of the kernel: each has another
    int32_t block_idx, block_num, core;
    int16_t sub_block_id, core_type;
};

// The result of loading one library.
struct LibraryRecord {
    int32_t code;        // the result of loading
    int32_t error_code;  // the code in the error record
    uint32_t loads;
    uint32_t unknown_found;  // 1: a symbol that does not exist was found
    uint64_t answer;         // the answer of its function, which tells libraries apart
    uint64_t first_count;    // of the function that counts its calls: after the first load,
    uint64_t second_count;   // and after it was closed and loaded again
    char where[128];
    char message[256];
};

struct Script {
    Work work;
    uint32_t rounds;
    uint64_t records;      // KernelRecord[cores]
    uint64_t close_marks;  // uint64_t for each library: counts how often it was unloaded
    uint32_t library_count;
    uint32_t reserved;
    uint64_t libraries[libraries_max];
    uint64_t library_bytes[libraries_max];
    char library_name[64];          // of all of them
    char temp_folder[256];          // also looked through for files that loading has left; "": look nowhere
    uint64_t memory, memory_bytes;  // Work::forget
    uint64_t abandoned_stack;       // strand_stack of a strand that was abandoned in an earlier launch

    // The results.
    uint32_t begun;    // launches with this script that began,
    uint32_t ended;    // and ended
    uint32_t word;     // atomic; Work::signal: 1, signalled; 2, over
    uint32_t pauses;   // of the strand
    uint32_t resumes;  // of the strand
    uint32_t strand_ended;
    uint32_t strand_bad;    // 1: its stack, or the abandoned one, was not as it was left
    uint32_t ports_shared;  // 1: two threads have the same port
    uint64_t strand_stack;  // the place where the strand keeps its words
    LibraryRecord loaded[libraries_max];
    uint32_t files_left;  // files that end as one of the libraries does,
    char file_left[252];  // and the last of these
    ThreadRecord threads[threads_max];
    CoreRecord cores[cores_max];
};

// Argument `index` of a dispatch, after the first two: the address of the core's record and the dispatch's number.
constexpr uint64_t argument(uint64_t dispatch, uint32_t index) {
    return (dispatch << 32 | index) * 0x9E3779B97F4A7C15u;
}

constexpr ch_code fault_code = CH_GRAPH_CYCLE;  // Work::report_status
constexpr char fault_message[] = "a fault that the AICPU program reports";
constexpr char stall_message[] = "the conformance program waits for nothing";

}  // namespace chiphost::conformance

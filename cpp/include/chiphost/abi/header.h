// SPDX-License-Identifier: Apache-2.0
//
// The first field of every table that one program hands to another. Whoever receives a table checks it before any call.
//
// Three things are versioned apart. The tag says whether two binaries may talk at all. The major version says which
// functions a table has and what they mean; the minor version counts functions added at its end. Data in memory has
// format versions of its own (callable.h, graph/task.h).
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CH_ABI_MAGIC 0x54534843u  // "CHST" in memory order on a little-endian machine

// The kind of a table, and the header that declares it.
enum ch_abi_kind {
    CH_ABI_ANCHOR = 1,                // abi/anchor.h
    CH_ABI_HOST_RUNTIME = 2,          // abi/host_runtime.h
    CH_ABI_AICPU_PROGRAM = 3,         // abi/device_program.h
    CH_ABI_AICORE_PROGRAM = 4,        // abi/device_program.h
    CH_ABI_HOST_ORCHESTRATION = 5,    // abi/host_orchestration.h
    CH_ABI_DEVICE_ORCHESTRATION = 6,  // abi/device_orchestration.h
    CH_ABI_CONFORMANCE = 7,           // tests/conformance/conformance.h
};

// Constant data of the library that has the table; CH_ABI_HEADER makes one.
typedef struct ch_abi_header {
    uint32_t magic;         // CH_ABI_MAGIC
    uint16_t kind;          // ch_abi_kind
    uint16_t header_bytes;  // sizeof(ch_abi_header)
    uint16_t major;         // must be equal
    uint16_t minor;         // the provider's must not be lower than the user's
    uint32_t table_bytes;   // size of the whole table
    const char* tag;        // "processor-system/platform"; "*" fits every platform. Lives as long as the library.
} ch_abi_header;

#ifdef __cplusplus
}
static_assert(sizeof(ch_abi_header) == 16 + sizeof(void*), "ch_abi_header is part of the ABI");
#endif

#if defined(__x86_64__)
// The processor of the code being compiled, such as "x86_64".
#define CH_HOST_PROCESSOR "x86_64"
#elif defined(__aarch64__)
#define CH_HOST_PROCESSOR "aarch64"
#elif defined(__riscv) && __riscv_xlen == 64
#define CH_HOST_PROCESSOR "riscv64"
#else
#error "chiphost has no name for this processor: add it to abi/header.h"
#endif
#if defined(__linux__)
// The system of the code being compiled, such as "linux".
#define CH_HOST_SYSTEM "linux"
#elif defined(__APPLE__)
#define CH_HOST_SYSTEM "darwin"
#else
#error "chiphost has no name for this system: add it to abi/header.h"
#endif
// The first part of the tag.
#define CH_HOST_TAG CH_HOST_PROCESSOR "-" CH_HOST_SYSTEM

// The header of a table, to initialise its first field.
//
// table: the type of the table.
// abi_kind: its ch_abi_kind.
// platform_name: the platform as a literal, "*" for all.
#define CH_ABI_HEADER(table, abi_kind, major_version, minor_version, platform_name) \
    {CH_ABI_MAGIC,  abi_kind,      sizeof(ch_abi_header),        major_version,     \
     minor_version, sizeof(table), CH_HOST_TAG "/" platform_name}

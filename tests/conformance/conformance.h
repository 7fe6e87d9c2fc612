// SPDX-License-Identifier: Apache-2.0
//
// The table of a conformance library: the suite, linked with one platform's host sources.
//
// Its user treats it as a host runtime (chiphost/abi/host_runtime.h): loads it into a domain of its own and calls it on
// that domain's threads. A test may crash or never return, as the platform under test may: run each in a process that
// can be ended.
#pragma once

#include "chiphost/abi/header.h"
#include "chiphost/abi/host_runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CH_CONFORMANCE_MAJOR 1
#define CH_CONFORMANCE_MINOR 0
#define CH_CONFORMANCE_ENTRY "chiphost_conformance"

typedef struct ch_conformance_test {
    const char* id;            // "group.name"
    const char* requirements;  // "PLAT-02 PLAT-03": docs/reference/platform-requirements.md
} ch_conformance_test;

enum ch_conformance_outcome {
    CH_CONFORMANCE_PASSED = 1,
    CH_CONFORMANCE_FAILED = 2,
    CH_CONFORMANCE_UNSUPPORTED = 3,  // the platform says that it does not have what the test wants
};

// A line of the platform's conformance.def.
typedef struct ch_conformance_known {
    const char* test;  // an id, or "group.*"
    const char* reason;
    uint32_t outcome;  // ch_conformance_outcome: not CH_CONFORMANCE_PASSED
    uint32_t reserved;
} ch_conformance_known;

typedef struct ch_conformance_request {
    uint32_t test;  // index
    uint32_t reserved;
    const ch_device_options* device;
    const char* folder;  // the folder of the kernels and orchestrations that the tests load
} ch_conformance_request;

typedef struct ch_conformance_result {
    uint32_t outcome;  // ch_conformance_outcome
    uint32_t reserved;
    char message[2048];  // "" if passed
} ch_conformance_result;

typedef struct ch_conformance {
    ch_abi_header header;
    const ch_conformance_test* tests;
    const ch_conformance_known* known;
    uint32_t test_count;
    uint32_t known_count;

    // Runs one test. `first` is a ch_conformance_result, `second` a ch_conformance_request: the form of a ch_call.
    // CH_OK.
    int32_t (*run)(void* first, const void* second, void* unused);
} ch_conformance;

typedef const ch_conformance* (*ch_conformance_entry)(void);

#ifdef __cplusplus
}
#endif

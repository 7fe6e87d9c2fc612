// SPDX-License-Identifier: Apache-2.0
//
// Needs libgomp, whose thread-local variables take static TLS (facts/isolation.md, C3).
#include <stdint.h>

extern "C" __attribute__((visibility("default"))) int32_t sum_call(void*, const void*, void*) {
    int32_t sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (int32_t i = 0; i < 100; ++i) sum += i;
    return sum;
}

// SPDX-License-Identifier: Apache-2.0
//
// How large the kernels' local buffers are. The orchestration refuses what does not fit.
#pragma once

#include <stdint.h>

constexpr int32_t kMaxBlockSize = 256;
constexpr int32_t kMaxHeadDim = 256;

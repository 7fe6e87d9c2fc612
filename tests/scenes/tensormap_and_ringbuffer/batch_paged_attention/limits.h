// SPDX-License-Identifier: Apache-2.0
//
// How large the kernels' local buffers are. The orchestration refuses what does not fit.
#pragma once

#include <stdint.h>

constexpr uint32_t kMaxBlockSize = 256;
constexpr uint32_t kMaxHeadDim = 256;

// SPDX-License-Identifier: Apache-2.0
//
// The sizes of the kernels' local buffers. The orchestration refuses anything larger.
#pragma once

#include <stdint.h>

constexpr int32_t kMaxBlockSize = 256;
constexpr int32_t kMaxHeadDim = 256;

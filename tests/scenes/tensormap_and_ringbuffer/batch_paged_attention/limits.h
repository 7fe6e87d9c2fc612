// SPDX-License-Identifier: Apache-2.0
//
// The sizes of the kernels' local buffers. The orchestration refuses anything larger.
#pragma once

#include <stdint.h>

constexpr uint32_t kMaxBlockSize = 256;
constexpr uint32_t kMaxHeadDim = 256;

// SPDX-License-Identifier: Apache-2.0
//
// The constants that the three kernels agree on.
#pragma once

#include <chiphost/hand_over.h>

constexpr uint32_t kMaxTile = chiphost::hand_over_tile_bytes / sizeof(float);  // elements

// The number of tiles that the AIC has given to each AIV before it takes the first one back: one more than a queue
// holds, so that it has to wait. An AIV can work on one tile and leave two in the queue back: with more than five all
// cores would wait.
constexpr uint32_t kAhead = chiphost::hand_over_depth + 1;

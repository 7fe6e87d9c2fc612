// SPDX-License-Identifier: Apache-2.0
//
// Calling a function by a frame. Part of the anchor: an exception must be caught by the libstdc++ of its own namespace.
#pragma once

#include <stddef.h>

#include "chiphost/abi/call_frame.h"
#include "chiphost/abi/error.h"

namespace chiphost::isolate {

// The number of registers for integer arguments; 0 where calls are not possible on this processor.
#if defined(__x86_64__)
constexpr size_t frame_integers = 6;
#elif defined(__aarch64__)
constexpr size_t frame_integers = 8;
#else
constexpr size_t frame_integers = 0;
#endif

// Makes the call. CH_OK, or CH_FUNCTION_THREW with the exception's text in the outcome.
[[nodiscard]] int32_t call_frame(const ch_call_frame& frame, ch_call_outcome* out_outcome);

}  // namespace chiphost::isolate

// SPDX-License-Identifier: Apache-2.0
//
// What the loaders of orchestrations share once they have a file of their own.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "chiphost/abi/error.h"

namespace chiphost::platform {

// Writes the library into the open, empty file at `path`, loads it from there, closes the file and removes it, whatever
// happens. `name` is for messages.
[[nodiscard]] int32_t load_through_file(int file, const char* path, const void* data, size_t bytes, const char* name,
                                        void** out_library, ch_error* out_error);

// The same without a file system: for where no folder lets libraries be loaded.
[[nodiscard]] int32_t load_from_memory(const void* data, size_t bytes, const char* name, void** out_library,
                                       ch_error* out_error);

}  // namespace chiphost::platform

// SPDX-License-Identifier: Apache-2.0
//
// The loaders of orchestrations share this: what they do once they have a file of their own.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "chiphost/abi/error.h"
#include "chiphost/abi/loader_gate.h"
#include "status/status.h"

namespace chiphost::platform {

// Somebody who is told of a library that the loader has just opened, before the library's constructors run.
struct OpenedLibrary {
    void (*tell)(void* whom, void* library);  // nullptr: nobody is
    void* whom;
};

// Writes the library into the open, empty file at `path`, loads it from there, closes the file and removes it, whatever
// happens. `name` is for messages. `gate`, which may be nullptr, is entered for the loader.
Status load_through_file(ch_loader_gate* gate, int file, const char* path, const void* data, size_t bytes,
                         const char* name, void** out_library, ch_error* out_error, const OpenedLibrary& opened = {});

// Does the same without a file system: for where no folder lets libraries be loaded.
Status load_from_memory(ch_loader_gate* gate, const void* data, size_t bytes, const char* name, void** out_library,
                        ch_error* out_error, const OpenedLibrary& opened = {});

// Unloads a library.
void close_library(ch_loader_gate* gate, void* library);

}  // namespace chiphost::platform

// SPDX-License-Identifier: Apache-2.0
//
// Loads a library from bytes, so that it shares nothing with another load of the same bytes.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <string>

#include "chiphost/abi/error.h"
#include "chiphost/abi/loader_gate.h"
#include "status/status.h"

namespace chiphost::isolate {

// Says if a copy may use variables of the program in place of its own of the same names, as the loader lets it.
enum class Variables { own, any };

// Loads the bytes with RTLD_NOW | RTLD_LOCAL into the namespace of this code. Nothing is left in the file system, even
// when the process is killed, as long as the system has memfd_create and /proc. `name` is for messages and for
// /proc/self/maps. `gate`, which may be nullptr, is entered for the loader, but not for the library's own constructors.
// Fails with CH_VARIABLE_SHARED before any code of the library runs, but after code of libraries that it needs.
Status load_private_copy(ch_loader_gate* gate, const void* data, size_t bytes, const std::string& name,
                         Variables variables, void** out_handle, ch_error* out_error);

}  // namespace chiphost::isolate

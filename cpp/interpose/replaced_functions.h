// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace chiphost::interpose {

// Makes a library that has just been loaded into the program's own namespace call chiphost's functions instead of some
// of the C library's: those of spawned_processes.h, own_signal_handlers.h and made_threads.h. Called before any code of
// the library runs. Libraries that it needs are shared with the program and stay as they are; so does the library
// itself if the system does not let its table be written.
void replace_functions(void* handle);

}  // namespace chiphost::interpose

// SPDX-License-Identifier: Apache-2.0
//
// dlsym(RTLD_DEFAULT, ...) for isolated code.
//
// In a namespace the C library's own function knows only the first object (H9), and a lookup that finds nothing leaves
// its thread marked as a reader of scopes, which blocks every later dlclose of the process (H15). The functions here
// ask handles instead, which leaves no mark: handles of the objects that everybody sees, of the libraries that were
// shown, and of the objects that the asker was loaded with. Thread-safe.
#pragma once

#include <string>

#include "chiphost/abi/loader_gate.h"

namespace chiphost::interpose {

// 1 where functions_first.cpp has dlsym and dlvsym of its own: not beside sanitizers, which have a dlsym of their own,
// and not on processors for which nobody has written the jump.
#if defined(__GLIBC__) && (defined(__x86_64__) || defined(__aarch64__)) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define CHIPHOST_OWN_DEFAULT_LOOKUPS 1
#else
#define CHIPHOST_OWN_DEFAULT_LOOKUPS 0
#endif

// Decides whether lookups in this namespace find the symbols of the library with this path, and of the libraries it
// needs, whenever it is loaded. The path is the one that the loader is given. Without a call lookups do not find them.
void show_library(const std::string& path, bool shown);

// From now on lookups enter this gate when they walk the loader's list (H14). nullptr means no gate.
void look_up_behind(ch_loader_gate* gate);

// Answers the lookups that functions_first.cpp passes on. `version` is nullptr for dlsym, `asker` an address in the
// code that asks. Returns nullptr if nothing is found; then dlerror() says so, as after the C library's own function.
void* look_up_default(const char* name, const char* version, const void* asker);

// The C library's own functions, also where chiphost's come first.
using FindSymbol = void* (*)(void* handle, const char* name);
using FindVersion = void* (*)(void* handle, const char* name, const char* version);
FindSymbol next_dlsym();
FindVersion next_dlvsym();

}  // namespace chiphost::interpose

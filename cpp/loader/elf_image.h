// SPDX-License-Identifier: Apache-2.0
//
// Facts about an ELF file that must be known before the dynamic loader gets it.
#pragma once

#include <stddef.h>

#include <string>
#include <string_view>
#include <vector>

#include "chiphost/abi/error.h"
#include "status/status.h"

namespace chiphost::loader {

// CH_OK if the bytes are a complete ELF shared library for this processor; otherwise CH_NOT_ELF, CH_FILE_TRUNCATED or
// CH_WRONG_ARCHITECTURE. The loader itself answers a truncated file with SIGBUS. `where` names the file.
Status check_elf_library(const void* data, size_t bytes, std::string_view where, ch_error* out_error);

// True if the library has variables of its own that code may change, thread-local ones included, but for those of
// chiphost's headers that every run writes first. True if in doubt. Two users may share a loaded library that has none.
// Takes bytes that check_elf_library has accepted.
bool has_writable_statics(const void* data, size_t bytes);

// Name of a symbol that the library defines as STB_GNU_UNIQUE, "" without one. The loader gives all libraries of a
// namespace the same symbol, private copies too, and never unloads them. Takes bytes that check_elf_library has
// accepted.
std::string_view unique_symbol(const void* data, size_t bytes);

// The library of a sanitizer that this library needs, "" without one. It has to be loaded before everything else, and
// otherwise ends the process. Takes bytes that check_elf_library has accepted.
std::string sanitizer_runtime(const void* data, size_t bytes);

// The properties by which the loader decides whether a library can be unloaded.
struct UnloadTraits {
    std::string unique_symbol;             // as above
    bool no_delete = false;                // DF_1_NODELETE
    bool thread_local_destructor = false;  // it imports the function that registers one
    std::string soname;                    // "" without one
    std::vector<std::string> needed;       // names of the libraries it depends on
};

// Takes bytes that check_elf_library has accepted.
UnloadTraits unload_traits(const void* data, size_t bytes);

}  // namespace chiphost::loader

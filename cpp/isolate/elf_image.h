// SPDX-License-Identifier: Apache-2.0
//
// What must be known of an ELF file before it is given to the dynamic loader.
#pragma once

#include <stddef.h>

#include <string_view>

#include "chiphost/abi/error.h"

namespace chiphost::isolate {

// CH_OK if the bytes are a complete ELF shared library for this processor; otherwise CH_NOT_ELF, CH_FILE_TRUNCATED or
// CH_WRONG_ARCHITECTURE. The loader itself answers a truncated file with SIGBUS. `where` names the file.
[[nodiscard]] int32_t check_elf_library(const void* data, size_t bytes, std::string_view where, ch_error* out_error);

// Whether the library has variables of its own that code may change, thread-local ones included. True if in doubt. Two
// users may share a loaded library that has none. Takes bytes that check_elf_library has accepted.
bool has_writable_statics(const void* data, size_t bytes);

// Name of a symbol that the library defines as STB_GNU_UNIQUE, "" without one. The loader gives all libraries of a
// namespace the same one, private copies too, and never unloads them. Takes bytes that check_elf_library has accepted.
std::string_view unique_symbol(const void* data, size_t bytes);

}  // namespace chiphost::isolate

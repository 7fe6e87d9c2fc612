// SPDX-License-Identifier: Apache-2.0
//
// Libraries of a pool in this process's own namespace.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "isolate/domain/library_pool.h"
#include "test_files.h"

namespace chiphost::isolate {

// Calls count_call of a library in this process.
inline int32_t count_call(const ch_library* library) {
    auto* function = reinterpret_cast<ch_call>(dlsym(library->handle, "count_call"));
    return function ? function(nullptr, nullptr, nullptr) : -1;
}

// Loads another private copy.
inline ch_library* open_copy(LibraryPool& pool, const tests::Binary& binary) {
    ch_library* library = nullptr;
    ch_open_request request{};
    request.binary = binary.raw();
    request.binary.key = "";
    request.out_library = &library;
    ch_error error = no_error();
    EXPECT_EQ(pool.open(request, &error), CH_OK) << tests::text_of(error);
    return library;
}

}  // namespace chiphost::isolate

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <new>
#include <utility>

#include "os/thread_annotations.h"
#include "report.h"
#include "status.h"

namespace chiphost {

// Calls body(), which returns a Status, and makes an error of an exception: CH_HOST_MEMORY_EXHAUSTED for want of
// memory, otherwise CH_INTERNAL with the exception's words. For where no exception may leave: functions of C
// interfaces, calls into another namespace, threads. out_error may be nullptr: then only the code is returned. The body
// has the locks that the caller has, which clang cannot see from here.
template <typename Body>
Status guarded(const char* where, ch_error* out_error, Body&& body) CH_NO_THREAD_SAFETY_ANALYSIS {
    const auto fail = [&](ch_code code, const char* words) -> Status {
        return out_error ? report(out_error, code, where, "%s", words) : code;
    };
    try {
        return std::forward<Body>(body)();
    } catch (const std::bad_alloc&) {
        return fail(CH_HOST_MEMORY_EXHAUSTED, "out of memory");
    } catch (const std::exception& error) {
        return fail(CH_INTERNAL, error.what());
    } catch (...) {
        return fail(CH_INTERNAL, "an exception that is no std::exception");
    }
}

}  // namespace chiphost

// SPDX-License-Identifier: Apache-2.0
//
// Facts about linker namespaces from the loader itself: how many there are, and how many more it would open.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <optional>
#include <string>

#include "chiphost/abi/error.h"
#include "status/status.h"

namespace chiphost::isolate {

// The reason why this build cannot use namespaces; nullptr if it can.
const char* namespaces_unavailable();

// Namespaces that exist now beside the program's own, whoever opened them; nullopt if the C library does not tell
// (glibc before 2.35). Takes no lock. A namespace that was closed does not count, although its static TLS stays taken.
std::optional<size_t> count_namespaces();

// The resource that the loader ran out of.
enum class NamespaceLimit {
    none,        // nothing
    count,       // namespaces: glibc has 16 places
    static_tls,  // room for thread-local variables that have a fixed place in every thread
};

// The limit that these words of the loader name; none: something else is wrong.
NamespaceLimit limit_named_by(const char* words);

struct NamespaceProbe {
    size_t left = 0;  // that could be opened now
    NamespaceLimit limit = NamespaceLimit::none;
    std::string words;  // the loader's, when it refused the next
};

// Finds out by trying, in a child made by fork(), so that everything counts that is loaded here: the child opens
// namespaces until the loader refuses, says how many, and is gone. Takes some 1.5 ms for each, and at most timeout_ns.
//
// With a library, each namespace holds that too: what its thread-local variables take counts. Its constructors run, in
// the child; what they print is lost. Thread-safe. Handlers that others registered with pthread_atfork are called.
//
// CH_ISOLATION_UNAVAILABLE; CH_PROCESS_NOT_STARTED if the system refuses a child; CH_LOAD_REFUSED if the library
// cannot be loaded at all, ends the child or hangs in it.
Status probe_namespaces(const std::string& anchor_path, const std::string& library_path, NamespaceProbe* out_probe,
                        ch_error* out_error, uint64_t timeout_ns = 10'000'000'000);

}  // namespace chiphost::isolate

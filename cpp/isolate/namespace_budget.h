// SPDX-License-Identifier: Apache-2.0
//
// How many linker namespaces this process has opened and how many it can.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <mutex>

#include "chiphost/abi/error.h"

namespace chiphost::isolate {

// A namespace is spent once opened: closing it gives back its mappings, not its static TLS. So they are counted here,
// before glibc runs out and says something that only its authors understand. Thread-safe.
class NamespaceBudget {
public:
    static NamespaceBudget& of_this_process();

    // Counts one more. CH_NAMESPACES_SPENT when that would be over the limit.
    [[nodiscard]] int32_t take(ch_error* out_error);

    // Takes back the last `take`, because the loader answered `words`, and makes an error of them.
    [[nodiscard]] int32_t refused(const char* words, ch_error* out_error);

    struct Numbers {
        size_t opened;              // by chiphost, in this process or the one it was forked from
        size_t limit;               // estimated from glibc's tunables in force
        size_t tunable_namespaces;  // glibc.rtld.nns
        size_t tunable_static_tls;  // glibc.rtld.optional_static_tls
    };
    Numbers numbers();

private:
    NamespaceBudget();
    explicit NamespaceBudget(const Numbers& inherited) : numbers_(inherited) {}
    int32_t spent(const char* why, ch_error* out_error) const;

    std::mutex mutex_;
    Numbers numbers_{};
};

}  // namespace chiphost::isolate

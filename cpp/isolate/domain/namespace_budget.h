// SPDX-License-Identifier: Apache-2.0
//
// The number of linker namespaces that this process has opened, and the number that it can open.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <optional>
#include <string>

#include "chiphost/abi/error.h"
#include "glibc_tunables.h"
#include "namespace_probe.h"
#include "os/mutex.h"
#include "status/status.h"

namespace chiphost::isolate {

// A namespace is spent once opened: closing it gives back its mappings, not its static TLS. So they are counted here,
// before glibc runs out and says something that only its authors understand. The limit is estimated from the tunables
// as long as there is room, and found by trying before anybody is refused. Thread-safe.
class NamespaceBudget {
public:
    static NamespaceBudget& of_this_process();

    // Counts one more. CH_NAMESPACES_SPENT when no other can be opened.
    Status take(const std::string& anchor_path, ch_error* out_error);

    // Takes back the last `take`, because the loader answered `words`, and makes an error of them.
    Status refused(const char* words, ch_error* out_error);

    struct Numbers {
        size_t opened = 0;             // by chiphost, in this process or the one it was forked from
        std::optional<size_t> others;  // open now, opened by other code of the process; nullopt: not known
        size_t limit = 0;              // of all together
        bool limit_found = false;      // by trying; otherwise estimated
        LoaderTunables tunables;
    };
    Numbers numbers();

private:
    NamespaceBudget();
    NamespaceBudget(const NamespaceBudget& inherited);
    size_t open() const CH_REQUIRES(mutex_);
    void find_limit(const std::string& anchor_path) CH_REQUIRES(mutex_);
    Status spent(ch_error* out_error) const CH_REQUIRES(mutex_);

    os::Mutex mutex_;
    size_t opened_ CH_GUARDED_BY(mutex_) = 0;
    size_t limit_ CH_GUARDED_BY(mutex_) = 0;
    std::optional<size_t> found_at_ CH_GUARDED_BY(mutex_);  // how many were open when the limit was found
    std::string words_ CH_GUARDED_BY(mutex_);               // the loader's own, when it refused
    LoaderTunables tunables_ CH_GUARDED_BY(mutex_);
};

// The namespaces that can still be opened, and advice on how to have more.
struct NamespaceCapacity {
    NamespaceBudget::Numbers numbers;
    NamespaceProbe probe;  // found just now
    LoaderAdvice advice;   // how to have more
};

// Finds it out as probe_namespaces does, with its errors.
Status find_namespace_capacity(const std::string& anchor_path, const std::string& library_path,
                               NamespaceCapacity* out_capacity, ch_error* out_error);

}  // namespace chiphost::isolate

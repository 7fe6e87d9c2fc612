// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "chiphost/abi/host_runtime.h"
#include "context.h"
#include "isolate/domain.h"

namespace chiphost::worker {

// The three programs of one runtime on one platform.
struct RuntimeFiles {
    std::string host;
    std::string aicpu;
    std::string aicore;
};

// Identity of a set of files: another key as soon as one of them was written again.
[[nodiscard]] int32_t runtime_key(const RuntimeFiles& files, std::string* out_key, ch_error* out_error);

// How a runtime is to be kept apart from the program.
struct Isolation {
    isolate::Strategy strategy = isolate::Strategy::link_namespace;
    bool copy_if_spent = false;  // load a private copy when no namespace is left
};

// A host runtime loaded into a domain. Loaded once for each state of its files (path, modification time in ns and size
// of all three) and strategy, never unloaded: a file that was rebuilt in place is another library. Immutable; shared by
// any number of workers.
class RuntimeLibrary {
public:
    // Thread-safe. `platform` may be empty: then any is accepted. *out_library lives as long as the process.
    // *out_fell_back: whether it is a copy because the namespaces are spent.
    [[nodiscard]] static int32_t load(const RuntimeFiles& files, const std::string& platform,
                                      const Isolation& isolation, const std::string& anchor_path,
                                      RuntimeLibrary** out_library, bool* out_fell_back, ch_error* out_error);

    const ch_host_runtime& table() const { return *table_; }
    const RuntimeInfo& info() const { return info_; }
    isolate::Domain& domain() const { return *domain_; }
    const RuntimeFiles& files() const { return files_; }
    const std::string& aicpu_key() const { return aicpu_key_; }
    const std::string& aicore_key() const { return aicore_key_; }

private:
    friend class RuntimeLibraries;
    RuntimeLibrary() = default;

    const ch_host_runtime* table_ = nullptr;
    RuntimeInfo info_{};
    isolate::Domain* domain_ = nullptr;
    RuntimeFiles files_;
    std::string aicpu_key_;
    std::string aicore_key_;
};

}  // namespace chiphost::worker

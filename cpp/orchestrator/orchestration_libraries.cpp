// SPDX-License-Identifier: Apache-2.0
#include "orchestration_libraries.h"

#include <string.h>

#include <string_view>

#include "chiphost/platform/aicpu.h"
#include "loader/elf_image.h"
#include "status/abi_check.h"
#include "status/report.h"

namespace chiphost::orchestrator {

namespace {

constexpr Expected provided{CH_ABI_DEVICE_ORCHESTRATION, CH_DEVICE_ORCHESTRATION_MAJOR, CH_DEVICE_ORCHESTRATION_MINOR,
                            0, ""};

}  // namespace

// The library of the key, or a free place for it. Without a key nothing says that it is the same library.
OrchestrationLibraries::Library& OrchestrationLibraries::find_or_make_room(platform::AicpuPort* port, const char* key) {
    Library* oldest = &libraries_[0];
    for (Library& library : libraries_) {
        if (library.handle && key[0] != '\0' && strcmp(library.key, key) == 0) return library;
        if (library.last_use < oldest->last_use) oldest = &library;
    }
    if (oldest->handle) platform::close_device_orch_so(port, oldest->handle);
    *oldest = Library{};
    return *oldest;
}

Status OrchestrationLibraries::get(platform::AicpuPort* port, const graph::Orchestration& orchestration,
                                   ch_device_orchestration* out_entry, ch_error* out_error) {
    const char* name = orchestration.library_name;
    Library& library = find_or_make_room(port, orchestration.library_key);
    if (!library.handle) {
        void* handle = nullptr;
        const auto* file = reinterpret_cast<const void*>(orchestration.library);
        // The dynamic loader crashes on some broken files.
        CH_TRY(loader::check_elf_library(file, orchestration.library_bytes, name, out_error));
        if (const std::string_view unique = loader::unique_symbol(file, orchestration.library_bytes); !unique.empty()) {
            return report(out_error, CH_UNIQUE_SYMBOL, name,
                          "the symbol %.*s is STB_GNU_UNIQUE, so all copies of the library would share it; compile "
                          "with -fno-gnu-unique",
                          static_cast<int>(unique.size()), unique.data());
        }
        CH_TRY(platform::load_device_orch_so(port, file, orchestration.library_bytes, name, &handle, out_error));
        const auto* abi =
            static_cast<const ch_abi_header*>(platform::find_in_device_orch_so(handle, CH_DEVICE_ORCHESTRATION_ABI));
        if (const Status failed = check_wanted(abi, CH_DEVICE_ORCHESTRATION_ABI, provided, name, out_error);
            !failed.ok()) {
            platform::close_device_orch_so(port, handle);
            return failed;
        }
        library.handle = handle;
        memcpy(library.key, orchestration.library_key, sizeof library.key);
    }
    library.last_use = ++uses_;
    // Looking a symbol up takes the loader's lock, which somebody's constructor may hold for long.
    if (!library.function || strcmp(library.entry, orchestration.entry) != 0) {
        library.function = reinterpret_cast<ch_device_orchestration>(
            platform::find_in_device_orch_so(library.handle, orchestration.entry));
        memcpy(library.entry, orchestration.entry, sizeof library.entry);
    }
    *out_entry = library.function;
    if (!*out_entry) return report(out_error, CH_ENTRY_MISSING, name, "wanted the function %s", orchestration.entry);
    return CH_OK;
}

void OrchestrationLibraries::close_all() {
    for (Library& library : libraries_) {
        if (library.handle) platform::close_device_orch_so(nullptr, library.handle);
        library = Library{};
    }
}

}  // namespace chiphost::orchestrator

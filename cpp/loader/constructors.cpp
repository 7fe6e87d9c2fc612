// SPDX-License-Identifier: Apache-2.0
#include "constructors.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#include <exception>

#include "loader_refusal.h"
#include "os/thread_state.h"
#include "status/report.h"

namespace chiphost::loader {

namespace {

using Constructor = void (*)(int argc, char** argv, char** environment);

// Calls visit(entry) for the entries of the dynamic section, in the file.
template <typename Visit>
void for_each_dynamic(char* data, size_t bytes, Visit&& visit) {
    Elf64_Ehdr header;
    if (bytes < sizeof header) return;
    memcpy(&header, data, sizeof header);
    const uint64_t headers_bytes = uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || headers_bytes > bytes ||
        header.e_phoff > bytes - headers_bytes) {
        return;
    }
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr segment;
        memcpy(&segment, data + header.e_phoff + i * sizeof segment, sizeof segment);
        if (segment.p_type != PT_DYNAMIC) continue;
        if (segment.p_filesz > bytes || segment.p_offset > bytes - segment.p_filesz) return;
        for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= segment.p_filesz; at += sizeof(Elf64_Dyn)) {
            Elf64_Dyn entry;
            memcpy(&entry, data + segment.p_offset + at, sizeof entry);
            if (entry.d_tag == DT_NULL) return;
            visit(entry, data + segment.p_offset + at);
        }
    }
}

}  // namespace

Constructors::Constructors(char* data, size_t bytes) {
    for_each_dynamic(data, bytes, [&](Elf64_Dyn entry, char* place) {
        if (entry.d_tag == DT_INIT_ARRAY) address_ = entry.d_un.d_ptr;
        if (entry.d_tag != DT_INIT_ARRAYSZ) return;
        bytes_ = entry.d_un.d_val;
        entry.d_un.d_val = 0;
        memcpy(place, &entry, sizeof entry);
    });
}

Status Constructors::run(void* handle, const ch_loader_gate* gate, std::string_view name, ch_error* out_error) const {
    if (address_ == 0) return CH_OK;
    link_map* map = nullptr;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) {
        return report(out_error, CH_LOAD_REFUSED, name, "the loader does not say where it is: %s", loader_words());
    }
    const auto* list = reinterpret_cast<const Constructor*>(map->l_addr + address_);
    const os::ThreadStateGuard guard;
    char* nothing[4] = {};  // no argument, no variable, and AT_NULL
    const bool known = gate && gate->arguments;
    const int count = known ? static_cast<int>(gate->argument_count) : 0;
    char** const arguments = known ? gate->arguments : nothing;
    try {
        for (uint64_t i = 0; i < bytes_ / sizeof *list; ++i) list[i](count, arguments, environ);
    } catch (const std::exception& error) {
        return report(out_error, CH_LOAD_REFUSED, name, "a constructor of a static variable threw: %s", error.what());
    } catch (...) {
        return report(out_error, CH_LOAD_REFUSED, name,
                      "a constructor of a static variable threw an exception that is no std::exception");
    }
    return CH_OK;
}

}  // namespace chiphost::loader

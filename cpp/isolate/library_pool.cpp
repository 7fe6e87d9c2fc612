// SPDX-License-Identifier: Apache-2.0
#include "library_pool.h"

#include <dlfcn.h>
#include <link.h>

#include <string>
#include <utility>
#include <vector>

#include "../abi/report.h"
#include "elf_image.h"
#include "private_copy.h"

namespace chiphost::isolate {

ch_library* LibraryPool::take_shared(const std::string& key) {
    const auto found = shared_.find(key);
    if (found == shared_.end()) return nullptr;
    if (found->second->users++ == 0) idle_.remove(found->second);
    return found->second;
}

// Loading a sanitizer's runtime late would end the process.
static int32_t check_sanitizer(const void* data, size_t bytes, const char* name, ch_error* out_error) {
    const std::string runtime = sanitizer_runtime(data, bytes);
    if (runtime.empty()) return CH_OK;
    if (void* loaded = dlopen(runtime.c_str(), RTLD_NOW | RTLD_NOLOAD)) {
        dlclose(loaded);
        return CH_OK;
    }
    return report(out_error, CH_LOAD_REFUSED, name,
                  "it was built with a sanitizer and needs %s, which works in no namespace and must be loaded when the "
                  "program starts; build it without -fsanitize, or use copies in a program built with it",
                  runtime.c_str());
}

int32_t LibraryPool::open(const ch_open_request& request, ch_error* out_error) {
    const ch_binary& binary = request.binary;
    const std::string key = binary.key ? binary.key : "";
    if (!key.empty()) {
        const std::lock_guard lock(mutex_);
        if (ch_library* shared = take_shared(key)) {
            *request.out_library = shared;
            return CH_OK;
        }
    }
    std::vector<char> file;
    const void* data = binary.data;
    size_t bytes = binary.bytes;
    if (!data) {
        if (const int32_t code = read_file(binary.name, &file, out_error)) return code;
        data = file.data();
        bytes = file.size();
    }
    if (const int32_t code = check_elf_library(data, bytes, binary.name, out_error)) return code;
    if (const int32_t code = check_sanitizer(data, bytes, binary.name, out_error)) return code;

    auto library = std::make_unique<ch_library>();
    library->users = 1;
    if (request.in_place) {
        library->handle = dlopen(binary.name, RTLD_NOW | RTLD_LOCAL);
        if (!library->handle) return report(out_error, CH_LOAD_REFUSED, binary.name, "%s", dlerror());
    } else {
        const std::string_view unique = request.only_copy ? std::string_view() : unique_symbol(data, bytes);
        if (!unique.empty()) {
            return report(out_error, CH_UNIQUE_SYMBOL, binary.name,
                          "the symbol %.*s is STB_GNU_UNIQUE, so all copies of the library would share it; compile "
                          "with -fno-gnu-unique",
                          static_cast<int>(unique.size()), unique.data());
        }
        if (const int32_t code = load_private_copy(data, bytes, binary.name, &library->handle, out_error)) return code;
        if (!key.empty() && !has_writable_statics(data, bytes)) library->key = key;
    }

    ch_library* shared = nullptr;
    {
        const std::lock_guard lock(mutex_);
        ++loads_;
        if (!library->key.empty()) shared = take_shared(key);
        if (!shared) {
            *request.out_library = library.get();
            if (!library->key.empty()) shared_[key] = library.get();
            libraries_[library.get()] = std::move(library);
            return CH_OK;
        }
    }
    // Another thread has loaded the same meanwhile.
    *request.out_library = shared;
    unload(std::move(library));
    return CH_OK;
}

void* LibraryPool::find_symbol(const ch_library* library, const char* symbol) {
    ch_library* entry = nullptr;
    {
        const std::lock_guard lock(mutex_);
        entry = libraries_.at(const_cast<ch_library*>(library)).get();
        if (const auto known = entry->symbols.find(symbol); known != entry->symbols.end()) return known->second;
    }
    void* address = dlsym(library->handle, symbol);
    const std::lock_guard lock(mutex_);
    entry->symbols[symbol] = address;
    return address;
}

bool LibraryPool::close(ch_library* library) {
    std::unique_ptr<ch_library> unused;
    bool kept = false;
    {
        const std::lock_guard lock(mutex_);
        if (--library->users != 0) return false;
        if (library->key.empty()) {
            unused = forget(library);
        } else {
            kept = true;
            idle_.push_back(library);
            if (idle_.size() > idle_max) {
                shared_.erase(idle_.front()->key);
                unused = forget(idle_.front());
                idle_.pop_front();
            }
        }
    }
    const bool unloaded = unused && unload(std::move(unused));
    return unloaded && !kept;
}

void LibraryPool::flush(const std::string& key) {
    std::vector<std::unique_ptr<ch_library>> unused;
    {
        const std::lock_guard lock(mutex_);
        for (auto library = idle_.begin(); library != idle_.end();) {
            if (!key.empty() && (*library)->key != key) {
                ++library;
                continue;
            }
            shared_.erase((*library)->key);
            unused.push_back(forget(*library));
            library = idle_.erase(library);
        }
    }
    for (auto& library : unused) unload(std::move(library));
}

std::unique_ptr<ch_library> LibraryPool::forget(ch_library* library) {
    return std::move(libraries_.extract(library).mapped());
}

// Whether the loader let go of it. It has a name that no other library has, also for a private copy.
bool LibraryPool::unload(std::unique_ptr<ch_library> library) {
    link_map* map = nullptr;
    std::string name;
    if (dlinfo(library->handle, RTLD_DI_LINKMAP, &map) == 0) name = map->l_name;
    dlclose(library->handle);
    const auto has_name = [](dl_phdr_info* info, size_t, void* wanted) {
        return static_cast<int>(*static_cast<const std::string*>(wanted) == info->dlpi_name);
    };
    if (dl_iterate_phdr(has_name, &name) == 0) return true;
    const std::lock_guard lock(mutex_);
    ++pinned_;
    return false;
}

void LibraryPool::count(ch_anchor_counts* out_counts) {
    const std::lock_guard lock(mutex_);
    out_counts->libraries = libraries_.size();
    out_counts->libraries_idle = idle_.size();
    out_counts->loads = loads_;
    out_counts->pinned = pinned_;
}

}  // namespace chiphost::isolate

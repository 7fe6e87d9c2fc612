// SPDX-License-Identifier: Apache-2.0
#include "library_pool.h"

#include <dlfcn.h>

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

int32_t LibraryPool::open(const ch_open_request& request, ch_error* out_error) {
    const ch_binary& binary = request.binary;
    const std::string key = binary.key ? binary.key : "";
    const std::lock_guard lock(mutex_);
    if (!key.empty()) {
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

    auto library = std::make_unique<ch_library>();
    library->name = binary.name;
    library->users = 1;
    library->in_place = request.in_place;
    if (request.in_place) {
        library->handle = dlopen(binary.name, RTLD_NOW | RTLD_LOCAL);
        if (!library->handle) return report(out_error, CH_LOAD_REFUSED, binary.name, "%s", dlerror());
    } else {
        if (const int32_t code = load_private_copy(data, bytes, binary.name, &library->handle, out_error)) return code;
        if (!key.empty() && !has_writable_statics(data, bytes)) {
            library->key = key;
            shared_[key] = library.get();
        }
    }
    ++loads_;
    *request.out_library = library.get();
    libraries_[library.get()] = std::move(library);
    return CH_OK;
}

bool LibraryPool::close(ch_library* library) {
    const std::lock_guard lock(mutex_);
    if (--library->users != 0) return false;
    if (library->key.empty()) return unload(library);
    idle_.push_back(library);
    if (idle_.size() > idle_max) {
        ch_library* oldest = idle_.front();
        idle_.pop_front();
        shared_.erase(oldest->key);
        unload(oldest);
    }
    return false;
}

bool LibraryPool::unload(ch_library* library) {
    dlclose(library->handle);
    bool gone = true;
    if (library->in_place) {
        if (void* still_there = dlopen(library->name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD)) {
            dlclose(still_there);
            gone = false;
        }
    }
    libraries_.erase(library);
    return gone;
}

void LibraryPool::count(ch_anchor_counts* out_counts) {
    const std::lock_guard lock(mutex_);
    out_counts->libraries = libraries_.size();
    out_counts->libraries_idle = idle_.size();
    out_counts->loads = loads_;
}

}  // namespace chiphost::isolate

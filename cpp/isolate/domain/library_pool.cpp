// SPDX-License-Identifier: Apache-2.0
#include "library_pool.h"

#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <string.h>

#include <algorithm>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "loader/elf_image.h"
#include "loader/library_file.h"
#include "loader/loader_gate.h"
#include "loader/loader_path.h"
#include "loader/loader_refusal.h"
#include "os/thread_clock.h"
#include "os/thread_state.h"
#include "private_copy.h"
#include "status/report.h"

namespace chiphost::isolate {

ch_library* LibraryPool::take_shared(const std::string& key) {
    const auto found = shared_.find(key);
    if (found == shared_.end()) return nullptr;
    ch_library* library = found->second;
    if (library->users++ == 0) library->place.splice(library->place.begin(), idle_, library->idle);
    return library;
}

// Loading a sanitizer's runtime late would end the process.
static Status check_sanitizer(ch_loader_gate* gate, const void* data, size_t bytes, const char* name,
                              ch_error* out_error) {
    const std::string runtime = loader::sanitizer_runtime(data, bytes);
    if (runtime.empty()) return CH_OK;
    const loader::LoaderPass pass(gate);
    if (void* loaded = dlopen(runtime.c_str(), RTLD_NOW | RTLD_NOLOAD)) {
        dlclose(loaded);
        return CH_OK;
    }
    return report(out_error, CH_LOAD_REFUSED, name,
                  "it was built with a sanitizer and needs %s, which works in no namespace and must be loaded when the "
                  "program starts; build it without -fsanitize, or use copies in a program built with it",
                  runtime.c_str());
}

Status LibraryPool::open(const ch_open_request& request, ch_error* out_error) {
    const ch_binary& binary = request.binary;
    const std::string key = binary.key ? binary.key : "";
    if (!key.empty()) {
        const os::MutexLock lock(mutex_);
        if (ch_library* shared = take_shared(key)) {
            *request.out_library = shared;
            return CH_OK;
        }
    }
    std::vector<char> file;
    const void* data = binary.data;
    size_t bytes = binary.bytes;
    if (!data) {
        CH_TRY(loader::read_file(binary.name, &file, out_error));
        data = file.data();
        bytes = file.size();
    }
    CH_TRY(loader::check_elf_library(data, bytes, binary.name, out_error));
    CH_TRY(check_sanitizer(gate_, data, bytes, binary.name, out_error));

    auto library = std::make_unique<ch_library>();
    library->users = 1;
    library->loaded_at_ns = os::thread_clock_ns();
    decltype(libraries_) owner;
    owner[library.get()] = nullptr;
    decltype(shared_) name;
    name[key] = library.get();
    CH_TRY(load(request, data, bytes, library.get(), out_error));

    ch_library* shared = nullptr;
    {
        const os::MutexLock lock(mutex_);
        ++loads_;
        if (!library->key.empty()) shared = take_shared(key);
        if (!shared) {
            *request.out_library = library.get();
            if (!library->key.empty()) shared_.merge(name);
            libraries_.insert(owner.extract(owner.begin())).position->second = std::move(library);
            return CH_OK;
        }
    }
    // Another thread has loaded the same library meanwhile.
    *request.out_library = shared;
    unload(std::move(library));
    return CH_OK;
}

// Has the dynamic loader load a library: where its file is, or as a private copy.
Status LibraryPool::load(const ch_open_request& request, const void* data, size_t bytes, ch_library* library,
                         ch_error* out_error) const {
    const char* name = request.binary.name;
    if (request.in_place) {
        const loader::LoaderPath path(name);
        const loader::LoaderPass pass(gate_);
        const os::ThreadStateGuard guard;  // constructors
        library->handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (library->handle) return CH_OK;
        return loader::report_refusal(out_error, name, path.words(loader::loader_words(), name).c_str());
    }
    const std::string_view unique = request.only_copy ? std::string_view() : loader::unique_symbol(data, bytes);
    if (!unique.empty()) {
        return report(out_error, CH_UNIQUE_SYMBOL, name,
                      "the symbol %.*s is STB_GNU_UNIQUE, so all copies of the library would share it; compile "
                      "with -fno-gnu-unique",
                      static_cast<int>(unique.size()), unique.data());
    }
    std::string key = request.binary.key ? request.binary.key : "";
    const bool statics = key.empty() || loader::has_writable_statics(data, bytes);
    // A library without a key is one that a user opens, not one that chiphost has compiled.
    const Variables variables = key.empty() && !request.only_copy ? Variables::own : Variables::any;
    CH_TRY(load_private_copy(gate_, data, bytes, name, variables, &library->handle, out_error));
    if (!statics) library->key.swap(key);  // others may have it, too
    return CH_OK;
}

void* LibraryPool::find_symbol(const ch_library* library, const char* symbol) {
    ch_library* entry = nullptr;
    {
        const os::MutexLock lock(mutex_);
        entry = libraries_.at(const_cast<ch_library*>(library)).get();
        if (const auto known = entry->symbols.find(symbol); known != entry->symbols.end()) return known->second;
    }
    void* address = dlsym(library->handle, symbol);
    const os::MutexLock lock(mutex_);
    entry->symbols[symbol] = address;
    return address;
}

bool LibraryPool::close(ch_library* library) {
    std::unique_ptr<ch_library> unused;
    bool kept = false;
    {
        const os::MutexLock lock(mutex_);
        if (--library->users != 0) return false;
        if (library->key.empty()) {
            unused = forget(library);
        } else {
            kept = true;
            library->idle = library->place.begin();
            idle_.splice(idle_.end(), library->place);
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

// Allocates nothing: a library that nobody can have any more must not stay for want of memory.
void LibraryPool::flush(std::string_view key) {
    unload_kept(find_threads());
    for (;;) {
        std::unique_ptr<ch_library> unused;
        {
            const os::MutexLock lock(mutex_);
            const auto found = std::find_if(idle_.begin(), idle_.end(), [&](const ch_library* library) {
                return key.empty() || library->key == key;
            });
            if (found == idle_.end()) return;
            shared_.erase((*found)->key);
            unused = forget(*found);
            idle_.erase(found);
        }
        unload(std::move(unused));
    }
}

std::unique_ptr<ch_library> LibraryPool::forget(ch_library* library) {
    return std::move(libraries_.extract(library).mapped());
}

ForeignThreads LibraryPool::find_threads() const {
    return find_threads_ ? find_threads_() : ForeignThreads();
}

// The part of memory that a loaded library is in.
struct Extent {
    const char* name;
    uintptr_t begin = UINTPTR_MAX;
    uintptr_t end = 0;
    bool has(uintptr_t address) const { return address >= begin && address < end; }
};

static int find_extent(dl_phdr_info* info, size_t, void* out_extent) {
    auto& extent = *static_cast<Extent*>(out_extent);
    if (strcmp(extent.name, info->dlpi_name) != 0) return 0;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const auto& segment = info->dlpi_phdr[i];
        if (segment.p_type != PT_LOAD) continue;
        const uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
        extent.begin = std::min(extent.begin, begin);
        extent.end = std::max(extent.end, begin + segment.p_memsz);
    }
    return 1;
}

// True if code of the library handles a signal, which may arrive on any thread of the program.
static bool handles_a_signal(const ch_library& library) {
    link_map* map = nullptr;
    if (dlinfo(library.handle, RTLD_DI_LINKMAP, &map) != 0) return false;
    Extent extent{map->l_name};
    dl_iterate_phdr(find_extent, &extent);
    for (int number = 1; number < NSIG; ++number) {
        struct sigaction action{};
        if (sigaction(number, nullptr, &action) == 0 && extent.has(reinterpret_cast<uintptr_t>(action.sa_handler))) {
            return true;
        }
    }
    return false;
}

// True if the loader let go of the library. Does its work also if no memory can be allocated.
bool LibraryPool::unload(std::unique_ptr<ch_library> library) {
    const ForeignThreads threads = find_threads();
    unload_kept(threads);
    library->closed_at_ns = os::thread_clock_ns();
    const loader::LoaderPass pass(gate_);
    if (threads.began_between(library->loaded_at_ns, library->closed_at_ns) || handles_a_signal(*library)) {
        auto place = std::move(library->kept_place);
        place.front() = std::move(library);
        const os::MutexLock lock(mutex_);
        kept_.splice(kept_.end(), place);
        return false;
    }
    return close_now(std::move(library));
}

// A thread that began after a library was closed does not run its code, unless one of the library's own threads has
// made it and ended before it.
void LibraryPool::unload_kept(const ForeignThreads& threads) {
    decltype(kept_) unused;
    {
        const os::MutexLock lock(mutex_);
        for (auto next = kept_.begin(); next != kept_.end();) {
            const auto library = next++;
            if (threads.began_between((*library)->loaded_at_ns, (*library)->closed_at_ns)) continue;
            unused.splice(unused.end(), kept_, library);
        }
    }
    for (auto& library : unused) {
        const loader::LoaderPass pass(gate_);
        if (handles_a_signal(*library)) continue;
        close_now(std::move(library));
    }
    unused.remove(nullptr);
    const os::MutexLock lock(mutex_);
    kept_.splice(kept_.end(), unused);
}

bool LibraryPool::keep_if_running(void* handle, uint64_t loaded_at_ns) {
    auto library = std::make_unique<ch_library>();
    library->handle = handle;
    library->loaded_at_ns = loaded_at_ns;
    library->closed_at_ns = os::thread_clock_ns();
    const ForeignThreads threads = find_threads();
    const loader::LoaderPass pass(gate_);
    link_map* map = nullptr;
    if (!threads.began_between(loaded_at_ns, library->closed_at_ns) && !handles_a_signal(*library)) return false;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) return false;
    // Its name is enough for another reference, also where its file is gone.
    library->handle = dlopen(map->l_name, RTLD_NOW | RTLD_NOLOAD);
    if (!library->handle) return false;
    auto place = std::move(library->kept_place);
    place.front() = std::move(library);
    const os::MutexLock lock(mutex_);
    kept_.splice(kept_.end(), place);
    return true;
}

// True if the loader let go of the library, which has a name that no other library has, also as a private copy.
bool LibraryPool::close_now(std::unique_ptr<ch_library> library) {
    const os::ThreadStateGuard guard;  // destructors
    link_map* map = nullptr;
    std::string name;
    try {
        if (dlinfo(library->handle, RTLD_DI_LINKMAP, &map) == 0) name = map->l_name;
    } catch (const std::bad_alloc&) {
        dlclose(library->handle);
        return false;  // nobody knows
    }
    dlclose(library->handle);
    const auto has_name = [](dl_phdr_info* info, size_t, void* wanted) {
        return static_cast<int>(*static_cast<const std::string*>(wanted) == info->dlpi_name);
    };
    if (dl_iterate_phdr(has_name, &name) == 0) return true;
    const os::MutexLock lock(mutex_);
    ++pinned_;
    return false;
}

void LibraryPool::count(ch_anchor_counts* out_counts) {
    const os::MutexLock lock(mutex_);
    out_counts->libraries = libraries_.size();
    out_counts->libraries_idle = idle_.size();
    out_counts->loads = loads_;
    out_counts->pinned = pinned_;
    out_counts->kept = kept_.size();
}

}  // namespace chiphost::isolate

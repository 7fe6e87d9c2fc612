// SPDX-License-Identifier: Apache-2.0
#include "default_lookups.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <utility>
#include <vector>

#include "os/mutex.h"

namespace chiphost::interpose {

namespace {

// Entries of a loaded object's dynamic section.
class Dynamic {
public:
    explicit Dynamic(const dl_phdr_info& object) : base_(object.dlpi_addr) {
        for (size_t i = 0; i < object.dlpi_phnum; ++i) {
            if (object.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
            entries_ = reinterpret_cast<const ElfW(Dyn)*>(base_ + object.dlpi_phdr[i].p_vaddr);
        }
    }

    // Calls visit(value) for all entries of a tag.
    template <typename Visit>
    void for_each(int64_t tag, Visit&& visit) const {
        for (const ElfW(Dyn)* entry = entries_; entry && entry->d_tag != DT_NULL; ++entry) {
            if (entry->d_tag == tag) visit(entry->d_un.d_val);
        }
    }

    // The target of an entry, nullptr without one. Some loaders have made addresses of these values, some have not.
    template <typename T>
    const T* at(int64_t tag) const {
        uint64_t address = 0;
        for_each(tag, [&](uint64_t value) { address = value < base_ ? base_ + value : value; });
        return reinterpret_cast<const T*>(address);
    }

private:
    const uint64_t base_;
    const ElfW(Dyn) * entries_ = nullptr;
};

uint32_t gnu_hash(const char* name) {
    uint32_t hash = 5381;
    for (; *name; ++name) hash = hash * 33 + static_cast<unsigned char>(*name);
    return hash;
}

// The function that an object defines under a name, in the version that is bound by default; nullptr if none.
void* function_of(const dl_phdr_info& object, const char* name) {
    constexpr uint16_t hidden_version = 0x8000;
    struct Header {
        uint32_t buckets;
        uint32_t first_symbol;
        uint32_t bloom_words;
        uint32_t bloom_shift;
    };
    const Dynamic dynamic(object);
    const auto* header = dynamic.at<Header>(DT_GNU_HASH);
    const auto* symbols = dynamic.at<ElfW(Sym)>(DT_SYMTAB);
    const auto* names = dynamic.at<char>(DT_STRTAB);
    const auto* versions = dynamic.at<uint16_t>(DT_VERSYM);
    if (!header || !symbols || !names || header->buckets == 0) return nullptr;
    const auto* bloom = reinterpret_cast<const ElfW(Addr)*>(header + 1);
    const auto* buckets = reinterpret_cast<const uint32_t*>(bloom + header->bloom_words);
    const uint32_t* chain = buckets + header->buckets;
    const uint32_t hash = gnu_hash(name);
    uint32_t index = buckets[hash % header->buckets];
    if (index < header->first_symbol) return nullptr;
    for (;; ++index) {
        const uint32_t other = chain[index - header->first_symbol];
        const ElfW(Sym)& symbol = symbols[index];
        if ((other | 1) == (hash | 1) && symbol.st_shndx != SHN_UNDEF && strcmp(names + symbol.st_name, name) == 0 &&
            !(versions && (versions[index] & hidden_version))) {
            return reinterpret_cast<void*>(object.dlpi_addr + symbol.st_value);
        }
        if (other & 1) return nullptr;
    }
}

// The function that comes after the one of this object. The loader cannot be asked: that is the function in question.
void* next_function(const char* name) {
    struct Search {
        const char* name;
        bool behind_own = false;
        void* found = nullptr;
    };
    Search search{name};
    dl_iterate_phdr(
        [](dl_phdr_info* object, size_t, void* data) {
            auto& asked = *static_cast<Search*>(data);
            const auto own = reinterpret_cast<uintptr_t>(&next_function);
            for (size_t i = 0; i < object->dlpi_phnum; ++i) {
                const ElfW(Phdr)& segment = object->dlpi_phdr[i];
                const uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
                if (segment.p_type == PT_LOAD && own - begin < segment.p_memsz) {
                    asked.behind_own = true;
                    return 0;
                }
            }
            if (asked.behind_own) asked.found = function_of(*object, asked.name);
            return static_cast<int>(asked.found != nullptr);
        },
        &search);
    return search.found;
}

// A reference to an object that is loaded, none if it is not.
class Loaded {
public:
    explicit Loaded(const char* path) : handle_(dlopen(*path ? path : nullptr, RTLD_LAZY | RTLD_NOLOAD)) {}
    ~Loaded() {
        if (handle_) dlclose(handle_);
    }
    Loaded(const Loaded&) = delete;
    Loaded& operator=(const Loaded&) = delete;
    void* find(const char* name, const char* version) const {
        if (!handle_) return nullptr;
        return version ? next_dlvsym()(handle_, name, version) : next_dlsym()(handle_, name);
    }

private:
    void* const handle_;
};

// Libraries that were shown, or hidden again. Nodes live for ever, so that a lookup takes no lock.
struct Shown {
    std::string path;
    std::atomic<bool> shown;
    Shown* next;
};
std::atomic<Shown*> all_shown{nullptr};

// An object of this namespace, with the names by which it says what it needs.
struct Object {
    std::string path;
    std::string name;  // the name by which others need it; "" if they use its path
    std::vector<std::string> needs;
    bool has_asker = false;
    bool seen_by_all = false;

    bool is_called(const std::string& wanted) const {
        return wanted == name || wanted == path || wanted == path.substr(path.rfind('/') + 1);
    }
};

struct Survey {
    const void* asker;
    std::vector<Object> objects;
    bool failed = false;
};

// An exception must not pass through the loader.
int survey_object(dl_phdr_info* info, size_t, void* data) {
    auto& survey = *static_cast<Survey*>(data);
    try {
        Object object;
        object.path = info->dlpi_name ? info->dlpi_name : "";
        const Dynamic dynamic(*info);
        if (const auto* names = dynamic.at<char>(DT_STRTAB)) {
            dynamic.for_each(DT_SONAME, [&](uint64_t at) { object.name = names + at; });
            dynamic.for_each(DT_NEEDED, [&](uint64_t at) { object.needs.emplace_back(names + at); });
        }
        const auto asker = reinterpret_cast<uintptr_t>(survey.asker);
        for (size_t i = 0; i < info->dlpi_phnum; ++i) {
            const ElfW(Phdr)& segment = info->dlpi_phdr[i];
            const uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
            if (segment.p_type == PT_LOAD && asker - begin < segment.p_memsz) object.has_asker = true;
        }
        survey.objects.push_back(std::move(object));
        return 0;
    } catch (const std::exception&) {
        survey.failed = true;
        return 1;
    }
}

std::atomic<ch_loader_gate*> loader_gate{nullptr};

// All objects of this namespace. The asker may be a constructor, for whose sake chiphost is inside the gate.
Survey survey_objects(const void* asker) {
    constexpr uint64_t patience_ns = 50'000'000;
    Survey survey{asker, {}};
    ch_loader_gate* const gate = loader_gate;
    ch_loader_gate_enter_again(gate, patience_ns);
    dl_iterate_phdr(survey_object, &survey);
    ch_loader_gate_leave(gate);
    return survey;
}

// Numbers of the objects that one brings along, itself first.
std::vector<size_t> group_of(size_t first, const std::vector<Object>& objects) {
    std::vector<size_t> group{first};
    for (size_t next = 0; next < group.size(); ++next) {
        for (const std::string& wanted : objects[group[next]].needs) {
            for (size_t other = 0; other < objects.size(); ++other) {
                if (!objects[other].is_called(wanted)) continue;
                if (std::find(group.begin(), group.end(), other) == group.end()) group.push_back(other);
            }
        }
    }
    return group;
}

// Searches the objects that the asker was loaded with: the loader looks there after the objects that everybody sees. It
// keeps no list that others can read, so this code goes by what the objects say that they need. An object that no other
// one needs was opened with dlopen.
void* find_with_asker(const char* name, const char* version, const void* asker) {
    Survey survey = survey_objects(asker);
    std::vector<Object>& objects = survey.objects;
    if (survey.failed || objects.empty()) return nullptr;
    for (const size_t number : group_of(0, objects)) objects[number].seen_by_all = true;
    const auto is_asker = [&](size_t number) { return objects[number].has_asker && !objects[number].seen_by_all; };
    std::vector<bool> needed(objects.size());
    std::vector<std::vector<size_t>> groups;
    for (size_t number = 0; number < objects.size(); ++number) {
        groups.push_back(group_of(number, objects));
        if (objects[number].seen_by_all) continue;
        for (const size_t other : groups.back()) needed[other] = needed[other] || other != number;
    }
    for (size_t number = 0; number < objects.size(); ++number) {
        // An object that only needs itself, in a circle, is opened by nobody else.
        const bool begins = !needed[number] || is_asker(number);
        if (!begins || std::none_of(groups[number].begin(), groups[number].end(), is_asker)) continue;
        if (void* found = Loaded(objects[number].path.c_str()).find(name, version)) return found;
    }
    return nullptr;
}

// The object that everybody sees first: the one of this code, the anchor or the program.
const Loaded& first_object() {
    static const Loaded& first = *[] {
        Dl_info own{};
        link_map* map = nullptr;
        dladdr1(reinterpret_cast<const void*>(&next_function), &own, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP);
        return new Loaded(map ? map->l_name : "");
    }();
    return first;
}

}  // namespace

FindSymbol next_dlsym() {
    static std::atomic<FindSymbol> known{nullptr};  // both are wanted before any initialiser runs, so they have none
    FindSymbol function = known.load(std::memory_order_relaxed);
    if (!function) known = function = reinterpret_cast<FindSymbol>(next_function("dlsym"));
    return function;
}

FindVersion next_dlvsym() {
    static std::atomic<FindVersion> known{nullptr};
    FindVersion function = known.load(std::memory_order_relaxed);
    if (!function) known = function = reinterpret_cast<FindVersion>(next_function("dlvsym"));
    return function;
}

void look_up_behind(ch_loader_gate* gate) {
    loader_gate = gate;
}

void show_library(const std::string& path, bool shown) {
    static os::Mutex mutex;
    const os::MutexLock lock(mutex);
    for (Shown* node = all_shown; node; node = node->next) {
        if (node->path == path) {
            node->shown = shown;
            return;
        }
    }
    if (shown) all_shown = new Shown{path, {true}, all_shown};
}

void* look_up_default(const char* name, const char* version, const void* asker) {
    if (void* found = first_object().find(name, version)) return found;
    for (const Shown* node = all_shown; node; node = node->next) {
        if (!node->shown) continue;
        if (void* found = Loaded(node->path.c_str()).find(name, version)) return found;
    }
    try {
        if (void* found = find_with_asker(name, version, asker)) return found;
    } catch (const std::exception&) {  // no memory: as if there were nothing; a C function lets no exception out
    }
    return first_object().find(name, version);  // for dlerror()
}

}  // namespace chiphost::interpose

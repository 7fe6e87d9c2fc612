// SPDX-License-Identifier: Apache-2.0
#include "code_place.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>

namespace chiphost::worker {

namespace {

// Calls line(text, bytes) for each line of a file until that returns true. A line that is too long is cut.
template <typename Line>
void for_each_line(const char* path, Line&& line) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    char text[512];
    size_t used = 0;
    char block[1024];
    bool found = false;
    for (ssize_t bytes; !found && (bytes = read(file, block, sizeof block)) > 0;) {
        for (ssize_t i = 0; !found && i < bytes; ++i) {
            if (block[i] != '\n') {
                if (used < sizeof text - 1) text[used++] = block[i];
                continue;
            }
            text[used] = 0;
            found = line(text, used);
            used = 0;
        }
    }
    close(file);
}

uint64_t take_hex(const char** text) {
    uint64_t number = 0;
    for (;; ++*text) {
        const char c = **text;
        const bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f')) return number;
        number = number * 16 + static_cast<uint64_t>(digit ? c - '0' : c - 'a' + 10);
    }
}

// The name of the file that is mapped there. The loader knows a private copy by a path that says nothing; the kernel
// knows the name its memory was given. Memory of the kernel's has a name, too, such as [vdso]. False: nothing is mapped
// there, or it has no name.
bool add_file_name(uint64_t address, TextLine* line) {
    bool found = false;
    for_each_line("/proc/self/maps", [&](const char* text, size_t bytes) {
        const char* at = text;
        const uint64_t begin = take_hex(&at);
        if (*at++ != '-' || address < begin || address >= take_hex(&at)) return false;
        const size_t left = bytes - static_cast<size_t>(at - text);
        const char* last = static_cast<const char*>(memchr(at, '[', left));
        if (const char* name = static_cast<const char*>(memchr(at, '/', left))) {
            last = strncmp(name, "/memfd:", 7) == 0 ? name + 7 : strrchr(name, '/') + 1;
        }
        if (!last) return true;
        const char* deleted = strstr(last, " (deleted)");
        line->add(last, deleted ? static_cast<size_t>(deleted - last) : strlen(last));
        found = true;
        return true;
    });
    return found;
}

#if __GLIBC_PREREQ(2, 35)

// The number of dynamic symbols, as far as the hash table knows.
uint32_t symbol_count(const uint32_t* hash) {
    const uint32_t buckets = hash[0], first = hash[1], bloom_words = hash[2];
    const auto* bucket = reinterpret_cast<const uint32_t*>(reinterpret_cast<const ElfW(Addr)*>(hash + 4) + bloom_words);
    const uint32_t* chain = bucket + buckets;
    uint32_t last = 0;
    for (uint32_t i = 0; i < buckets; ++i) last = bucket[i] > last ? bucket[i] : last;
    if (last < first) return 0;
    while ((chain[last - first] & 1) == 0) ++last;
    return last + 1;
}

// Adds "function+0x1c".
bool add_function(const link_map& library, uint64_t offset, TextLine* line) {
    const ElfW(Sym)* symbols = nullptr;
    const char* names = nullptr;
    const uint32_t* hash = nullptr;
    for (const ElfW(Dyn)* entry = library.l_ld; entry->d_tag != DT_NULL; ++entry) {
        // The loader makes an address of it, unless it cannot write there: the vDSO is the kernel's.
        const uint64_t value = entry->d_un.d_ptr;
        const uint64_t place = value < library.l_addr ? library.l_addr + value : value;
        if (entry->d_tag == DT_SYMTAB) symbols = reinterpret_cast<const ElfW(Sym)*>(place);
        if (entry->d_tag == DT_STRTAB) names = reinterpret_cast<const char*>(place);
        if (entry->d_tag == DT_GNU_HASH) hash = reinterpret_cast<const uint32_t*>(place);
    }
    if (!symbols || !names || !hash) return false;
    const uint32_t count = symbol_count(hash);
    for (uint32_t i = 0; i < count; ++i) {
        const ElfW(Sym)& symbol = symbols[i];
        if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
        if (offset < symbol.st_value || offset >= symbol.st_value + symbol.st_size) continue;
        line->add(names + symbol.st_name).add("+").add_hex(offset - symbol.st_value);
        return true;
    }
    return false;
}

#endif

}  // namespace

void describe_code(const void* address, TextLine* line) {
    const auto at = reinterpret_cast<uint64_t>(address);
    uint64_t base = 0;
#if __GLIBC_PREREQ(2, 35)
    // Unlike dladdr it takes no lock, which another thread may hold for ever.
    dl_find_object object;
    if (_dl_find_object(const_cast<void*>(address), &object) == 0) {
        base = object.dlfo_link_map->l_addr;
        if (!add_function(*object.dlfo_link_map, at - base, line)) line->add("?");
        line->add(" (");
        if (!add_file_name(at, line)) line->add("?");
        line->add("+").add_hex(at - base).add(")");
        return;
    }
#endif
    line->add_hex(at).add(" (");
    if (!add_file_name(at, line)) line->add("no library");
    line->add(")");
}

}  // namespace chiphost::worker

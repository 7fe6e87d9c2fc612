// SPDX-License-Identifier: Apache-2.0
//
// Places in a loaded library where the loader has bound a symbol.
#pragma once

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

namespace chiphost::interpose {

// The protection that the pages of an address have when the loader is done.
class Protection {
public:
    explicit Protection(const link_map* map) : map_(map) {
        dl_iterate_phdr(
            [](dl_phdr_info* found, size_t, void* self) {
                auto& protection = *static_cast<Protection*>(self);
                if (found->dlpi_addr != protection.map_->l_addr) return 0;
                protection.object_ = *found;
                return 1;
            },
            this);
    }

    // The flags of mprotect; 0 for an address outside the library.
    int of(uintptr_t address) const {
        int flags = 0;
        for (size_t i = 0; i < object_.dlpi_phnum; ++i) {
            const ElfW(Phdr)& segment = object_.dlpi_phdr[i];
            if (address - (object_.dlpi_addr + segment.p_vaddr) >= segment.p_memsz) continue;
            if (segment.p_type == PT_GNU_RELRO) {
                // The loader protects whole pages; variables may follow in the last one.
                const auto page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
                const uintptr_t end = object_.dlpi_addr + segment.p_vaddr + segment.p_memsz;
                if (address < end / page_bytes * page_bytes) return PROT_READ;
                continue;
            }
            if (segment.p_type != PT_LOAD) continue;
            flags = ((segment.p_flags & PF_R) ? PROT_READ : 0) | ((segment.p_flags & PF_W) ? PROT_WRITE : 0) |
                    ((segment.p_flags & PF_X) ? PROT_EXEC : 0);
        }
        return flags;
    }

private:
    const link_map* map_;
    dl_phdr_info object_{};
};

// True for places that hold a symbol's address and nothing else.
inline bool holds_address(uint32_t type) {
#if defined(__x86_64__)
    return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT || type == R_X86_64_64;
#elif defined(__aarch64__)
    return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT || type == R_AARCH64_ABS64;
#else
    return static_cast<void>(type), false;
#endif
}

// Calls visit(symbol, name, place) for every place in the library that holds the address of a symbol.
template <typename Visit>
void for_each_address(const link_map* map, Visit&& visit) {
    if (!map->l_ld) return;
    // Some loaders have made addresses of these values, some have not.
    const auto at = [&](uint64_t value) { return value < map->l_addr ? map->l_addr + value : value; };
    uint64_t symbols = 0;
    uint64_t names = 0;
    struct Table {
        uint64_t at;
        uint64_t bytes;
    } tables[2] = {};
    for (const ElfW(Dyn)* entry = map->l_ld; entry->d_tag != DT_NULL; ++entry) {
        switch (entry->d_tag) {
            case DT_SYMTAB:
                symbols = at(entry->d_un.d_ptr);
                break;
            case DT_STRTAB:
                names = at(entry->d_un.d_ptr);
                break;
            case DT_RELA:
                tables[0].at = at(entry->d_un.d_ptr);
                break;
            case DT_RELASZ:
                tables[0].bytes = entry->d_un.d_val;
                break;
            case DT_JMPREL:
                tables[1].at = at(entry->d_un.d_ptr);
                break;
            case DT_PLTRELSZ:
                tables[1].bytes = entry->d_un.d_val;
                break;
            default:
                break;
        }
    }
    if (!symbols || !names) return;
    for (const Table& table : tables) {
        const auto* relocation = reinterpret_cast<const ElfW(Rela)*>(table.at);
        for (uint64_t i = 0; table.at && i < table.bytes / sizeof *relocation; ++i, ++relocation) {
            const uint64_t index = ELF64_R_SYM(relocation->r_info);
            if (index == 0 || relocation->r_addend != 0 || !holds_address(ELF64_R_TYPE(relocation->r_info))) continue;
            const ElfW(Sym)& symbol = reinterpret_cast<const ElfW(Sym)*>(symbols)[index];
            visit(symbol, reinterpret_cast<const char*>(names) + symbol.st_name, map->l_addr + relocation->r_offset);
        }
    }
}

}  // namespace chiphost::interpose

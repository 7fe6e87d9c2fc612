// SPDX-License-Identifier: Apache-2.0
#include "replaced_functions.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "own_signal_handlers.h"
#include "spawned_processes.h"

namespace chiphost::isolate {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool wanted = false;  // these have functions of their own for that
#else
constexpr bool wanted = true;
#endif

struct Replacement {
    const char* name;
    void* function;
};

template <typename Function>
void* address_of(Function* function) {
    return reinterpret_cast<void*>(function);
}

void* replacement_of(const char* name) {
    const Replacement all[] = {{"posix_spawn", address_of(spawn_by_path)}, {"posix_spawnp", address_of(spawn_by_name)},
                               {"system", address_of(run_shell)},          {"popen", address_of(open_shell)},
                               {"pclose", address_of(close_shell)},        {"vfork", address_of(fork_instead)},
                               {"sigaction", address_of(install_action)},  {"signal", address_of(install_handler)}};
    for (const Replacement& each : all) {
        if (strcmp(each.name, name) == 0) return each.function;
    }
    return nullptr;
}

// Places that hold a symbol's address and nothing else.
bool holds_address(uint32_t type) {
#if defined(__x86_64__)
    return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT || type == R_X86_64_64;
#elif defined(__aarch64__)
    return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT || type == R_AARCH64_ABS64;
#else
    return static_cast<void>(type), false;
#endif
}

// How the pages of an address are protected when the loader is done.
struct Protection {
    explicit Protection(const link_map* the_map) : map(the_map) {
        dl_iterate_phdr(
            [](dl_phdr_info* found, size_t, void* self) {
                auto& protection = *static_cast<Protection*>(self);
                if (found->dlpi_addr != protection.map->l_addr) return 0;
                protection.object = *found;
                return 1;
            },
            this);
    }
    int of(uintptr_t address) const {
        int flags = 0;
        for (size_t i = 0; i < object.dlpi_phnum; ++i) {
            const ElfW(Phdr)& segment = object.dlpi_phdr[i];
            if (address - (object.dlpi_addr + segment.p_vaddr) >= segment.p_memsz) continue;
            if (segment.p_type == PT_GNU_RELRO) {
                // The loader protects whole pages; variables may follow in the last one.
                const auto page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
                const uintptr_t end = object.dlpi_addr + segment.p_vaddr + segment.p_memsz;
                if (address < end / page_bytes * page_bytes) return PROT_READ;
                continue;
            }
            if (segment.p_type != PT_LOAD) continue;
            flags = ((segment.p_flags & PF_R) ? PROT_READ : 0) | ((segment.p_flags & PF_W) ? PROT_WRITE : 0) |
                    ((segment.p_flags & PF_X) ? PROT_EXEC : 0);
        }
        return flags;
    }
    const link_map* map;
    dl_phdr_info object{};
};

void write(uintptr_t place, void* function, const Protection& protection) {
    const auto page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    void* const page = reinterpret_cast<void*>(place / page_bytes * page_bytes);
    const int before = protection.of(place);
    if (before == 0) return;
    if (!(before & PROT_WRITE) && mprotect(page, page_bytes, before | PROT_WRITE) != 0) return;
    memcpy(reinterpret_cast<void*>(place), &function, sizeof function);
    if (!(before & PROT_WRITE)) mprotect(page, page_bytes, before);
}

}  // namespace

void replace_functions(void* handle) {
    link_map* map = nullptr;
    if (!wanted || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || !map->l_ld) return;
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
    const Protection protection(map);
    for (const Table& table : tables) {
        const auto* relocation = reinterpret_cast<const ElfW(Rela)*>(table.at);
        for (uint64_t i = 0; table.at && i < table.bytes / sizeof *relocation; ++i, ++relocation) {
            const uint64_t index = ELF64_R_SYM(relocation->r_info);
            if (index == 0 || relocation->r_addend != 0 || !holds_address(ELF64_R_TYPE(relocation->r_info))) continue;
            const ElfW(Sym)& symbol = reinterpret_cast<const ElfW(Sym)*>(symbols)[index];
            if (symbol.st_shndx != SHN_UNDEF) continue;
            if (void* function = replacement_of(reinterpret_cast<const char*>(names) + symbol.st_name)) {
                write(map->l_addr + relocation->r_offset, function, protection);
            }
        }
    }
}

}  // namespace chiphost::isolate

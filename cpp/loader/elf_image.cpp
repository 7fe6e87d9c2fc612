// SPDX-License-Identifier: Apache-2.0
#include "elf_image.h"

#include <elf.h>
#include <string.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "status/report.h"

namespace chiphost::loader {

namespace {

#if defined(__x86_64__)
constexpr uint16_t this_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t this_machine = EM_AARCH64;
#elif defined(__riscv)
constexpr uint16_t this_machine = EM_RISCV;
#endif

const char* machine_name(uint16_t machine) {
    switch (machine) {
        case EM_X86_64:
            return "x86-64";
        case EM_AARCH64:
            return "AArch64";
        case EM_386:
            return "x86";
        case EM_ARM:
            return "ARM";
        case EM_RISCV:
            return "RISC-V";
        default:
            return "another processor";
    }
}

// Sections in which the compiler and the linker put writable data that is no variable of the program's.
bool is_linker_section(std::string_view name) {
    for (std::string_view known :
         {".dynamic", ".got", ".got.plt", ".init_array", ".fini_array", ".data.rel.ro", ".data.rel.ro.local",
          ".tm_clone_table", ".eh_frame", ".ctors", ".dtors", ".relro_padding"}) {
        if (name == known) return true;
    }
    return false;
}

// Variables that the toolchain adds. crtbeginS.o adds a pointer and a flag. The compiler adds a pointer for everything
// that exception tables refer to. libgcc stores what its constructors find out about the processor, which is the same
// for everybody (for atomics on AArch64, and for __builtin_cpu_supports). <iostream> adds an object without a content.
bool is_toolchain_variable(std::string_view name) {
    const auto begins = [&](std::string_view prefix) { return name.substr(0, prefix.size()) == prefix; };
    for (std::string_view known : {"__dso_handle", "__aarch64_have_lse_atomics", "__aarch64_cpu_features",
                                   "__cpu_model", "__cpu_features2", "_ZStL8__ioinit"}) {
        if (name == known) return true;
    }
    return begins("completed.") || begins("DW.ref.");
}

// Variables of chiphost's own headers, one for each thread: written before anything of a kernel or an orchestration
// runs, so nobody finds in them what another run has left.
bool is_written_by_every_run(std::string_view name) {
    return name == "chiphost_running_kernel" || name == "chiphost_bound_graph";
}

template <typename T>
T read_at(const void* data, size_t offset) {
    T value;
    memcpy(&value, static_cast<const char*>(data) + offset, sizeof value);
    return value;
}

// True if [offset, offset + length) lies in the file.
bool inside(uint64_t offset, uint64_t length, size_t bytes) {
    return offset <= bytes && length <= bytes - offset;
}

// String at an offset of a string section; "" if there is none.
std::string_view string_at(const void* data, size_t bytes, const Elf64_Shdr& strings, uint64_t offset) {
    if (!inside(strings.sh_offset, strings.sh_size, bytes) || offset >= strings.sh_size) return {};
    const char* start = static_cast<const char*>(data) + strings.sh_offset + offset;
    return std::string_view(start, strnlen(start, strings.sh_size - offset));
}

// The section headers of a file, and questions about them.
class Sections {
public:
    Sections(const void* data, size_t bytes) : data_(data), bytes_(bytes), header_(read_at<Elf64_Ehdr>(data, 0)) {}

    // True if the file has section headers that can be read.
    bool usable() const {
        return header_.e_shnum != 0 && header_.e_shentsize == sizeof(Elf64_Shdr) &&
               header_.e_shstrndx < header_.e_shnum &&
               inside(header_.e_shoff, uint64_t{header_.e_shnum} * sizeof(Elf64_Shdr), bytes_);
    }
    unsigned count() const { return header_.e_shnum; }
    Elf64_Shdr at(unsigned index) const {
        return read_at<Elf64_Shdr>(data_, header_.e_shoff + index * sizeof(Elf64_Shdr));
    }
    std::string_view name(const Elf64_Shdr& section) const {
        return string_at(data_, bytes_, at(header_.e_shstrndx), section.sh_name);
    }

    // Calls see(symbol, name) for all symbols of the first table of a type; false if there is none.
    template <typename See>
    bool symbols(uint32_t type, See&& see) const {
        for (unsigned i = 1; i < count(); ++i) {
            const Elf64_Shdr table = at(i);
            if (table.sh_type != type || table.sh_link >= count() || !inside(table.sh_offset, table.sh_size, bytes_)) {
                continue;
            }
            const Elf64_Shdr strings = at(table.sh_link);
            for (uint64_t offset = 0; offset + sizeof(Elf64_Sym) <= table.sh_size; offset += sizeof(Elf64_Sym)) {
                const auto symbol = read_at<Elf64_Sym>(data_, table.sh_offset + offset);
                see(symbol, string_at(data_, bytes_, strings, symbol.st_name));
            }
            return true;
        }
        return false;
    }

    // Calls see(entry, text) for all entries of the dynamic section; `text` is for those that are names.
    template <typename See>
    void dynamic(See&& see) const {
        for (unsigned i = 1; i < count(); ++i) {
            const Elf64_Shdr table = at(i);
            if (table.sh_type != SHT_DYNAMIC || table.sh_link >= count() ||
                !inside(table.sh_offset, table.sh_size, bytes_)) {
                continue;
            }
            const Elf64_Shdr strings = at(table.sh_link);
            for (uint64_t offset = 0; offset + sizeof(Elf64_Dyn) <= table.sh_size; offset += sizeof(Elf64_Dyn)) {
                const auto entry = read_at<Elf64_Dyn>(data_, table.sh_offset + offset);
                see(entry, string_at(data_, bytes_, strings, entry.d_un.d_val));
            }
        }
    }

private:
    const void* const data_;
    const size_t bytes_;
    const Elf64_Ehdr header_;
};

// The parts of a section with writable data that have symbols.
struct Named {
    Elf64_Shdr section;
    std::vector<std::pair<uint64_t, uint64_t>> ranges;  // begin and end, as addresses

    // True if the symbols name all of the section, but for gaps that alignment leaves.
    bool covers_all() {
        const uint64_t padding = std::max<uint64_t>(section.sh_addralign, 8) - 1;
        uint64_t end = section.sh_addr;
        std::sort(ranges.begin(), ranges.end());
        ranges.emplace_back(section.sh_addr + section.sh_size, UINT64_MAX);
        for (const auto& [first, last] : ranges) {
            // A gap is more than padding; or nothing is named at all, not even what the toolchain adds.
            if (first > end && (first - end > padding || end == section.sh_addr)) return false;
            end = std::max(end, last);
        }
        return true;
    }
};

}  // namespace

Status check_elf_library(const void* data, size_t bytes, std::string_view where, ch_error* out_error) {
    if (bytes < SELFMAG || memcmp(data, ELFMAG, SELFMAG) != 0) {
        return report(out_error, CH_NOT_ELF, where,
                      "wanted an ELF shared library, found %zu bytes that begin otherwise", bytes);
    }
    if (bytes < sizeof(Elf64_Ehdr)) {
        return report(out_error, CH_FILE_TRUNCATED, where, "wanted at least %zu bytes for the ELF header, found %zu",
                      sizeof(Elf64_Ehdr), bytes);
    }
    const auto header = read_at<Elf64_Ehdr>(data, 0);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_machine != this_machine) {
        return report(out_error, CH_WRONG_ARCHITECTURE, where,
                      "wanted 64-bit little-endian %s (machine %u), found %d-bit %s-endian %s (machine %u)",
                      machine_name(this_machine), this_machine, header.e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32,
                      header.e_ident[EI_DATA] == ELFDATA2LSB ? "little" : "big", machine_name(header.e_machine),
                      header.e_machine);
    }
    if (header.e_type != ET_DYN) {
        return report(out_error, CH_NOT_ELF, where, "wanted a shared library (ELF type %d), found ELF type %u", ET_DYN,
                      header.e_type);
    }
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0) {
        return report(out_error, CH_NOT_ELF, where, "wanted program headers of %zu bytes, found %u of %u bytes",
                      sizeof(Elf64_Phdr), header.e_phnum, header.e_phentsize);
    }
    uint64_t needed = 0;
    if (__builtin_add_overflow(header.e_phoff, uint64_t{header.e_phnum} * sizeof(Elf64_Phdr), &needed)) {
        needed = UINT64_MAX;
    }
    if (inside(header.e_phoff, uint64_t{header.e_phnum} * sizeof(Elf64_Phdr), bytes)) {
        for (unsigned i = 0; i < header.e_phnum; ++i) {
            const auto segment = read_at<Elf64_Phdr>(data, header.e_phoff + i * sizeof(Elf64_Phdr));
            uint64_t end = 0;
            if (__builtin_add_overflow(segment.p_offset, segment.p_filesz, &end)) end = UINT64_MAX;
            if (segment.p_type == PT_LOAD) needed = std::max(needed, end);
        }
    }
    if (needed > bytes) {
        return report(out_error, CH_FILE_TRUNCATED, where, "wanted %llu bytes by its own headers, found %zu",
                      static_cast<unsigned long long>(needed), bytes);
    }
    return CH_OK;
}

bool has_writable_statics(const void* data, size_t bytes) {
    const Sections sections(data, bytes);
    if (!sections.usable()) return true;
    std::map<unsigned, Named> writable;
    uint64_t thread_locals_at = UINT64_MAX;  // symbols of thread-local variables are offsets from here
    for (unsigned i = 1; i < sections.count(); ++i) {
        const Elf64_Shdr candidate = sections.at(i);
        if (!(candidate.sh_flags & SHF_ALLOC) || !(candidate.sh_flags & SHF_WRITE)) continue;
        if (candidate.sh_flags & SHF_TLS) thread_locals_at = std::min(thread_locals_at, candidate.sh_addr);
        if (!is_linker_section(sections.name(candidate))) writable[i] = {candidate, {}};
    }
    bool found = false;
    const bool listed = sections.symbols(SHT_SYMTAB, [&](const Elf64_Sym& symbol, std::string_view name) {
        const auto section = writable.find(symbol.st_shndx);
        if (section == writable.end()) return;
        if (ELF64_ST_TYPE(symbol.st_info) == STT_TLS) {
            if (!is_written_by_every_run(name)) found = true;
            const uint64_t at = thread_locals_at + symbol.st_value;
            section->second.ranges.emplace_back(at, at + symbol.st_size);
            return;
        }
        if (ELF64_ST_TYPE(symbol.st_info) != STT_OBJECT) return;
        // crtbeginS.o gives its pointer __dso_handle no size.
        const uint64_t size = name == "__dso_handle" ? sizeof(void*) : symbol.st_size;
        if (size != 0 && !is_toolchain_variable(name)) found = true;
        section->second.ranges.emplace_back(symbol.st_value, symbol.st_value + size);
    });
    if (found || !listed) return true;  // without a symbol table nobody can say
    // Names of local variables may have been stripped (-Wl,--discard-all).
    return !std::all_of(writable.begin(), writable.end(), [](auto& entry) { return entry.second.covers_all(); });
}

std::string_view unique_symbol(const void* data, size_t bytes) {
    const Sections sections(data, bytes);
    std::string_view found;
    if (!sections.usable()) return found;
    sections.symbols(SHT_DYNSYM, [&](const Elf64_Sym& symbol, std::string_view name) {
        if (ELF64_ST_BIND(symbol.st_info) == STB_GNU_UNIQUE && symbol.st_shndx != SHN_UNDEF) found = name;
    });
    return found;
}

std::string sanitizer_runtime(const void* data, size_t bytes) {
    const Sections sections(data, bytes);
    std::string found;
    if (!sections.usable()) return found;
    sections.dynamic([&](const Elf64_Dyn& entry, std::string_view text) {
        if (entry.d_tag != DT_NEEDED) return;
        for (const std::string_view runtime : {"libasan.so", "libhwasan.so", "libtsan.so"}) {
            if (text.substr(0, runtime.size()) == runtime) found = text;
        }
    });
    return found;
}

UnloadTraits unload_traits(const void* data, size_t bytes) {
    UnloadTraits traits;
    traits.unique_symbol = unique_symbol(data, bytes);
    const Sections sections(data, bytes);
    if (!sections.usable()) return traits;
    sections.symbols(SHT_DYNSYM, [&](const Elf64_Sym& symbol, std::string_view name) {
        if (symbol.st_shndx != SHN_UNDEF) return;
        if (name == "__cxa_thread_atexit" || name == "__cxa_thread_atexit_impl") traits.thread_local_destructor = true;
    });
    sections.dynamic([&](const Elf64_Dyn& entry, std::string_view text) {
        if (entry.d_tag == DT_FLAGS_1 && (entry.d_un.d_val & DF_1_NODELETE)) traits.no_delete = true;
        if (entry.d_tag == DT_SONAME) traits.soname = text;
        if (entry.d_tag == DT_NEEDED) traits.needed.emplace_back(text);
    });
    return traits;
}

}  // namespace chiphost::loader

// SPDX-License-Identifier: Apache-2.0
#include "elf_image.h"

#include <elf.h>
#include <string.h>

#include <algorithm>
#include <vector>

#include "../abi/report.h"

namespace chiphost::isolate {

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
    for (std::string_view known : {".dynamic", ".got", ".got.plt", ".init_array", ".fini_array", ".data.rel.ro",
                                   ".data.rel.ro.local", ".tm_clone_table", ".eh_frame", ".ctors", ".dtors"}) {
        if (name == known) return true;
    }
    return false;
}

// Variables that the toolchain adds: crtbeginS.o a pointer and a flag, the compiler a pointer for everything that
// exception tables refer to.
bool is_toolchain_variable(std::string_view name) {
    const auto begins = [&](std::string_view prefix) { return name.substr(0, prefix.size()) == prefix; };
    return name == "__dso_handle" || begins("completed.") || begins("DW.ref.");
}

template <typename T>
T read_at(const void* data, size_t offset) {
    T value;
    memcpy(&value, static_cast<const char*>(data) + offset, sizeof value);
    return value;
}

// Whether [offset, offset + length) lies in the file.
bool inside(uint64_t offset, uint64_t length, size_t bytes) {
    return offset <= bytes && length <= bytes - offset;
}

// String at an offset of a string section; "" if there is none.
std::string_view string_at(const void* data, size_t bytes, const Elf64_Shdr& strings, uint64_t offset) {
    if (!inside(strings.sh_offset, strings.sh_size, bytes) || offset >= strings.sh_size) return {};
    const char* start = static_cast<const char*>(data) + strings.sh_offset + offset;
    return std::string_view(start, strnlen(start, strings.sh_size - offset));
}

}  // namespace

int32_t check_elf_library(const void* data, size_t bytes, std::string_view where, ch_error* out_error) {
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
    uint64_t needed = header.e_phoff + uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
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
    const auto header = read_at<Elf64_Ehdr>(data, 0);
    if (header.e_shnum == 0 || header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shstrndx >= header.e_shnum ||
        !inside(header.e_shoff, uint64_t{header.e_shnum} * sizeof(Elf64_Shdr), bytes)) {
        return true;
    }
    const auto section = [&](unsigned index) {
        return read_at<Elf64_Shdr>(data, header.e_shoff + index * sizeof(Elf64_Shdr));
    };
    const Elf64_Shdr names = section(header.e_shstrndx);
    std::vector<bool> holds_variables(header.e_shnum);
    for (unsigned i = 1; i < header.e_shnum; ++i) {
        const Elf64_Shdr candidate = section(i);
        if (!(candidate.sh_flags & SHF_ALLOC) || !(candidate.sh_flags & SHF_WRITE)) continue;
        if (candidate.sh_flags & SHF_TLS) return true;
        holds_variables[i] = !is_linker_section(string_at(data, bytes, names, candidate.sh_name));
    }
    for (unsigned i = 1; i < header.e_shnum; ++i) {
        const Elf64_Shdr symbols = section(i);
        if (symbols.sh_type != SHT_SYMTAB || symbols.sh_link >= header.e_shnum ||
            !inside(symbols.sh_offset, symbols.sh_size, bytes)) {
            continue;
        }
        const Elf64_Shdr strings = section(symbols.sh_link);
        for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= symbols.sh_size; at += sizeof(Elf64_Sym)) {
            const auto symbol = read_at<Elf64_Sym>(data, symbols.sh_offset + at);
            const bool variable = ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT && symbol.st_size != 0 &&
                                  symbol.st_shndx < header.e_shnum && holds_variables[symbol.st_shndx];
            if (variable && !is_toolchain_variable(string_at(data, bytes, strings, symbol.st_name))) return true;
        }
        return false;
    }
    return true;  // no symbol table: who knows
}

}  // namespace chiphost::isolate

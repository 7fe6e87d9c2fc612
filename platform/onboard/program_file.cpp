// SPDX-License-Identifier: Apache-2.0
#include "program_file.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "status/report.h"

namespace chiphost::platform {

namespace {

// Copies element `index` of a table in the file. False: it is not inside.
template <typename T>
bool read(std::string_view bytes, uint64_t table, uint64_t index, T* out_value) {
    if (table > bytes.size() || index >= (bytes.size() - table) / sizeof(T)) return false;
    memcpy(out_value, bytes.data() + table + index * sizeof(T), sizeof(T));
    return true;
}

std::string_view text_at(std::string_view bytes, uint64_t table, uint64_t offset) {
    if (table > bytes.size() || offset > bytes.size() - table) return {};
    const std::string_view rest = bytes.substr(table + offset);
    return rest.substr(0, rest.find('\0'));
}

// True if a table of symbols has one that is defined, under this name.
bool defines(std::string_view bytes, const Elf64_Shdr& symbols, const Elf64_Shdr& names, std::string_view name) {
    Elf64_Sym symbol;
    for (uint64_t i = 0; i < symbols.sh_size / sizeof symbol && read(bytes, symbols.sh_offset, i, &symbol); ++i) {
        if (symbol.st_shndx != SHN_UNDEF && text_at(bytes, names.sh_offset, symbol.st_name) == name) return true;
    }
    return false;
}

}  // namespace

Status read_program(const char* path, const char* origin, std::string* out_bytes, ch_error* out_error) {
    FILE* file = fopen(path, "rb");
    if (!file) return report(out_error, CH_FILE_UNREADABLE, path, "%s: %s", strerror(errno), origin);
    out_bytes->clear();
    char part[65536];
    size_t count = 0;
    while ((count = fread(part, 1, sizeof part, file)) != 0) out_bytes->append(part, count);
    const int failed = ferror(file) ? errno : 0;
    fclose(file);
    return failed ? report(out_error, CH_FILE_UNREADABLE, path, "cannot be read: %s", strerror(failed)) : CH_OK;
}

Status check_entry(std::string_view bytes, std::string_view symbol, const char* path, ch_error* out_error) {
    Elf64_Ehdr header;
    if (!read(bytes, 0, 0, &header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
        return report(out_error, CH_NOT_ELF, path,
                      "wanted a 64-bit little-endian ELF file, found %zu bytes of other content", bytes.size());
    }
    for (uint64_t i = 0; i < header.e_shnum; ++i) {
        Elf64_Shdr section, names;
        if (!read(bytes, header.e_shoff, i, &section)) {
            return report(out_error, CH_FILE_TRUNCATED, path, "the file ends before its table of sections");
        }
        if (section.sh_type != SHT_SYMTAB && section.sh_type != SHT_DYNSYM) continue;
        if (!read(bytes, header.e_shoff, section.sh_link, &names)) continue;
        if (defines(bytes, section, names, symbol)) return CH_OK;
    }
    return report(out_error, CH_ENTRY_MISSING, path, "wanted a program that defines %.*s",
                  static_cast<int>(symbol.size()), symbol.data());
}

}  // namespace chiphost::platform

// SPDX-License-Identifier: Apache-2.0
#include "shared_variable.h"

#include <string.h>

#include <initializer_list>

#include "interpose/relocations.h"

namespace chiphost::isolate {

namespace {

bool is_table_of_types(const char* name) {
    for (const char* prefix : {"_ZTV", "_ZTI", "_ZTS", "_ZTT", "_ZTC"}) {
        if (strncmp(name, prefix, 4) == 0) return true;
    }
    return false;
}

}  // namespace

SharedVariable find_shared_variable(void* handle) {
    SharedVariable found;
    link_map* map = nullptr;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0) return found;
    const interpose::Protection protection(map);
    interpose::for_each_address(map, [&](const ElfW(Sym) & symbol, const char* name, uintptr_t place) {
        if (!found.name.empty() || symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS) return;
        const unsigned type = ELF64_ST_TYPE(symbol.st_info);
        if ((type != STT_OBJECT && type != STT_COMMON) || is_table_of_types(name)) return;
        const uintptr_t own = map->l_addr + symbol.st_value;
        uintptr_t bound = 0;
        memcpy(&bound, reinterpret_cast<const void*>(place), sizeof bound);
        if (bound == own || !(protection.of(own) & PROT_WRITE)) return;
        Dl_info owner{};
        found.name = name;
        found.owner = dladdr(reinterpret_cast<const void*>(bound), &owner) && owner.dli_fname ? owner.dli_fname : "";
    });
    return found;
}

}  // namespace chiphost::isolate

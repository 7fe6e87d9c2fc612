// SPDX-License-Identifier: Apache-2.0
//
// Writes the size of a page as the auxiliary vector behind a constructor's arguments has it; -1 without.
#include <elf.h>

#include <chiphost/kernel.h>

static int32_t page_bytes = -1;

__attribute__((constructor)) static void look(int count, char** values, char**) {
    if (count < 1) return;
    char** place = values + count + 1;
    while (*place) ++place;
    for (auto* entry = reinterpret_cast<Elf64_auxv_t*>(place + 1); entry->a_type != AT_NULL; ++entry) {
        if (entry->a_type == AT_PAGESZ) page_bytes = static_cast<int32_t>(entry->a_un.a_val);
    }
}

extern "C" __attribute__((visibility("default"))) __aicore__ void kernel_entry(__gm__ int64_t* args) {
    *chiphost::pointer_arg<int32_t>(args, 0) = page_bytes;
}

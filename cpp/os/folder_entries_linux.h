// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace chiphost::os {

// Calls visit(name) for the rest of an open folder's listing, but for "." and "..". False if the kernel refuses to list
// it. Allocates nothing, unlike opendir(): for a child before its code is known to work, and inside a namespace.
template <class Visit>
bool for_each_entry(int folder, const Visit& visit) {
    struct Entry {  // getdents64(2)
        uint64_t inode;
        int64_t offset;
        uint16_t bytes;
        uint8_t type;
        char name[];
    };
    alignas(Entry) char entries[2048];
    for (;;) {
        const long bytes = syscall(SYS_getdents64, folder, entries, sizeof entries);
        if (bytes <= 0) return bytes == 0;
        for (long at = 0; at < bytes;) {
            const auto* entry = reinterpret_cast<const Entry*>(entries + at);
            at += entry->bytes;
            if (strcmp(entry->name, ".") != 0 && strcmp(entry->name, "..") != 0) visit(entry->name);
        }
    }
}

}  // namespace chiphost::os

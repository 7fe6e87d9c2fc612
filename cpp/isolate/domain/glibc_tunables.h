// SPDX-License-Identifier: Apache-2.0
//
// The tunables of glibc's loader that decide how many linker namespaces a process can open.
#pragma once

#include <stddef.h>

#include <string>

namespace chiphost::isolate {

// glibc's own maximum; the program's namespace is not counted.
constexpr size_t namespaces_max = 15;
// Static TLS that libc and libstdc++ take in every namespace, in bytes; measured, docs/internals/namespaces.md.
constexpr size_t namespace_static_tls_min = 136;

struct LoaderTunables {
    size_t namespaces = 4;    // glibc.rtld.nns
    size_t static_tls = 512;  // glibc.rtld.optional_static_tls, in bytes

    // The tunables that this process was started with: glibc reads them once, before main.
    static LoaderTunables in_force();

    // Static TLS that glibc keeps free at the start for libraries loaded later, in bytes.
    size_t static_tls_surplus() const;

    // Namespaces that fit if each holds libc, libstdc++ and `more` bytes of static TLS. An estimate: measured on
    // x86-64.
    size_t namespaces_estimated(size_t more = 0) const;

    // "glibc.rtld.nns=4, glibc.rtld.optional_static_tls=512"
    std::string text() const;
};

// Advice on how to have more namespaces than now.
struct LoaderAdvice {
    std::string tunables;  // value for GLIBC_TUNABLES; empty if nothing helps
    size_t namespaces;     // that a process can have then, 0 if not known
};

// The settings with which namespaces_max fit, each of which takes up to `each` bytes of static TLS; 0: not known.
LoaderAdvice advise(const LoaderTunables& now, size_t each);

}  // namespace chiphost::isolate

// SPDX-License-Identifier: Apache-2.0
#include "glibc_tunables.h"

#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <string_view>

#include "chiphost/align.h"

namespace chiphost::isolate {

namespace {

// elf/dl-tls.c, _dl_tls_static_surplus_init (glibc 2.32 and later). DL_NNS is 16, one of which is the program's own.
constexpr size_t glibc_libc_tls = 144;
constexpr size_t glibc_other_tls = 144;
constexpr const char* namespaces_name = "glibc.rtld.nns";
constexpr const char* static_tls_name = "glibc.rtld.optional_static_tls";
// Static TLS for a library of which nothing is known: it has been enough for one with OpenMP.
constexpr size_t generous_static_tls = 8192;
constexpr size_t static_tls_step = 512;

// The tunables in the environment as it was when the process started. Older versions of glibc end every tunable that
// they know with a NUL, where it stands; so the rest of a list looks like variables of their own.
std::string start_tunables() {
    const std::string first = "GLIBC_TUNABLES=";
    const std::string more = "glibc.";
    std::ifstream file("/proc/self/environ", std::ios::binary);
    std::string tunables;
    bool inside = false;
    for (std::string entry; std::getline(file, entry, '\0');) {
        if (inside) {
            if (entry.compare(0, more.size(), more) != 0) break;
            tunables += ":" + entry;
        } else if (entry.compare(0, first.size(), first) == 0) {
            tunables = entry.substr(first.size());
            inside = true;
        }
    }
    return tunables;
}

// The last of equal names counts, as for glibc.
void read(std::string_view tunables, std::string_view name, size_t* out_value) {
    while (!tunables.empty()) {
        const std::string_view entry = tunables.substr(0, tunables.find(':'));
        tunables.remove_prefix(std::min(entry.size() + 1, tunables.size()));
        if (entry.size() <= name.size() || entry.substr(0, name.size()) != name || entry[name.size()] != '=') continue;
        const std::string number(entry.substr(name.size() + 1));
        char* end = nullptr;
        const size_t value = strtoull(number.c_str(), &end, 0);
        if (end != number.c_str() && !*end) *out_value = value;
    }
}

}  // namespace

LoaderTunables LoaderTunables::in_force() {
    const std::string set = start_tunables();
    LoaderTunables result;
    LoaderTunables wanted = result;
    read(set, namespaces_name, &wanted.namespaces);
    read(set, static_tls_name, &wanted.static_tls);
    // glibc ignores what is out of its range.
    if (wanted.namespaces >= 1 && wanted.namespaces <= namespaces_max + 1) result.namespaces = wanted.namespaces;
    result.static_tls = wanted.static_tls;
    return result;
}

size_t LoaderTunables::static_tls_surplus() const {
    return (namespaces - 1) * glibc_libc_tls + namespaces * glibc_other_tls + static_tls;
}

size_t LoaderTunables::namespaces_estimated(size_t more) const {
    return std::min(namespaces_max, static_tls_surplus() / (namespace_static_tls_min + more));
}

std::string LoaderTunables::text() const {
    return std::string(namespaces_name) + "=" + std::to_string(namespaces) + ", " + static_tls_name + "=" +
           std::to_string(static_tls);
}

LoaderAdvice advise(const LoaderTunables& now, size_t each) {
    LoaderTunables better = now;
    better.namespaces = namespaces_max + 1;
    const size_t surplus = better.static_tls_surplus();
    if (each == 0) {
        better.static_tls = std::max(generous_static_tls, 2 * now.static_tls);
    } else if (surplus < namespaces_max * each) {
        const size_t missing = namespaces_max * each - surplus;
        better.static_tls += align_up(missing, static_tls_step);
    }
    LoaderAdvice advice{"", each ? namespaces_max : 0};
    if (better.namespaces != now.namespaces) {
        advice.tunables = std::string(namespaces_name) + "=" + std::to_string(better.namespaces);
    }
    if (better.static_tls != now.static_tls) {
        advice.tunables +=
            std::string(advice.tunables.empty() ? "" : ":") + static_tls_name + "=" + std::to_string(better.static_tls);
    }
    return advice;
}

}  // namespace chiphost::isolate

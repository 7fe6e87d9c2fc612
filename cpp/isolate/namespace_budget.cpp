// SPDX-License-Identifier: Apache-2.0
#include "namespace_budget.h"

#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

#include "../abi/report.h"
#include "per_process.h"

namespace chiphost::isolate {

namespace {

// glibc reserves static TLS at start-up for the namespaces it expects: csu/libc-tls.c and elf/dl-tls.c,
// _dl_tls_static_surplus_init (glibc 2.32 and later). DL_NNS is 16, one of which is the program's own.
constexpr size_t glibc_namespaces_max = 15;
constexpr size_t glibc_libc_tls = 144;
constexpr size_t glibc_other_tls = 144;
constexpr size_t glibc_default_namespaces = 4;
constexpr size_t glibc_default_static_tls = 512;
// What libc and libstdc++ take of it in every namespace; measured, docs/internals/namespaces.md.
constexpr size_t namespace_tls = 136;

// The environment as it was when the process started: that is what glibc's tunables were read from.
std::string start_environment(const char* name) {
    std::ifstream file("/proc/self/environ", std::ios::binary);
    const std::string all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const std::string prefix = std::string(name) + "=";
    for (size_t at = 0; at < all.size(); at = all.find('\0', at) + 1) {
        if (all.compare(at, prefix.size(), prefix) == 0) return all.c_str() + at + prefix.size();
        if (all.find('\0', at) == std::string::npos) break;
    }
    return "";
}

size_t tunable(const std::string& tunables, const std::string& name, size_t fallback) {
    const size_t at = tunables.find(name + "=");
    return at == std::string::npos ? fallback : strtoull(tunables.c_str() + at + name.size() + 1, nullptr, 0);
}

}  // namespace

NamespaceBudget& NamespaceBudget::of_this_process() {
    static PerProcess<NamespaceBudget> budget;
    return budget.get([](NamespaceBudget* inherited) {
        return inherited ? new NamespaceBudget(inherited->numbers_) : new NamespaceBudget;
    });
}

NamespaceBudget::NamespaceBudget() {
    const std::string tunables = start_environment("GLIBC_TUNABLES");
    numbers_.tunable_namespaces =
        std::clamp<size_t>(tunable(tunables, "glibc.rtld.nns", glibc_default_namespaces), 1, glibc_namespaces_max + 1);
    numbers_.tunable_static_tls = tunable(tunables, "glibc.rtld.optional_static_tls", glibc_default_static_tls);
    const size_t surplus = (numbers_.tunable_namespaces - 1) * glibc_libc_tls +
                           numbers_.tunable_namespaces * glibc_other_tls + numbers_.tunable_static_tls;
    numbers_.limit = std::min(glibc_namespaces_max, surplus / namespace_tls);
}

int32_t NamespaceBudget::spent(const char* why, ch_error* out_error) const {
    const bool at_maximum = numbers_.limit >= glibc_namespaces_max;
    return report(out_error, CH_NAMESPACES_SPENT, "dlmopen",
                  "%zu linker namespaces are open and this process can have %zu (%s; glibc.rtld.nns=%zu, "
                  "glibc.rtld.optional_static_tls=%zu). %s",
                  numbers_.opened, numbers_.limit, why, numbers_.tunable_namespaces, numbers_.tunable_static_tls,
                  at_maximum ? "This is the most that glibc allows"
                             : "Start the process with GLIBC_TUNABLES=glibc.rtld.nns=16 to have 15");
}

int32_t NamespaceBudget::take(ch_error* out_error) {
    const std::lock_guard lock(mutex_);
    if (numbers_.opened >= numbers_.limit) return spent("counted before opening", out_error);
    ++numbers_.opened;
    return CH_OK;
}

int32_t NamespaceBudget::refused(const char* words, ch_error* out_error) {
    const std::lock_guard lock(mutex_);
    --numbers_.opened;
    if (strstr(words, "static TLS") || strstr(words, "no more namespaces")) {
        numbers_.limit = numbers_.opened;
        return spent(words, out_error);
    }
    return report(out_error, CH_LOAD_REFUSED, "dlmopen", "%s", words);
}

NamespaceBudget::Numbers NamespaceBudget::numbers() {
    const std::lock_guard lock(mutex_);
    return numbers_;
}

}  // namespace chiphost::isolate

// SPDX-License-Identifier: Apache-2.0
//
// The dynamic loader's words when it refuses a library, and their meaning. Compiled into every program that loads.
#pragma once

#include <dlfcn.h>
#include <locale.h>
#include <string.h>

#include <string_view>

#include "status/report.h"

namespace chiphost::loader {

// The loader's words about this thread's last failure, in English: they are looked at, and the program may have set
// another language. Valid until this thread calls the loader again. Allocates nothing.
inline const char* loader_words() {
    const locale_t english = newlocale(LC_ALL_MASK, "C", nullptr);
    const locale_t before = english ? uselocale(english) : nullptr;
    const char* words = dlerror();
    if (english) {
        uselocale(before);
        freelocale(english);
    }
    return words ? words : "the loader gave no reason";
}

// Makes an error of the words. CH_STATIC_TLS_SPENT and CH_HOST_MEMORY_EXHAUSTED are for callers that have another way.
// All other refusals are CH_LOAD_REFUSED, followed by a remedy where one is known.
inline Status report_refusal(ch_error* out_error, std::string_view where, const char* words) {
    struct Meaning {
        const char* words;
        ch_code code;
        const char* remedy;
    };
    // The first that fits counts: what the system says stands behind what the loader wanted of it.
    static constexpr Meaning meanings[] = {
        {"static TLS", CH_STATIC_TLS_SPENT, ""},
        {"Too many open files", CH_LOAD_REFUSED, "; raise the limit of open files (ulimit -n), or close some"},
        {"Cannot allocate memory", CH_HOST_MEMORY_EXHAUSTED, ""},
        {"out of memory", CH_HOST_MEMORY_EXHAUSTED, ""},
        {"No such file or directory", CH_LOAD_REFUSED, "; a library that it needs is missing"},
        {"Operation not permitted", CH_LOAD_REFUSED,
         "; the system forbids to run code from there: a file system that is mounted noexec, or a security policy"},
        {"undefined symbol", CH_LOAD_REFUSED,
         "; no library that it needs defines it, and the program's own symbols are seen by copies only"},
        {"' not found (required by", CH_LOAD_REFUSED, "; a library that it needs is too old here"},
    };
    for (const Meaning& meaning : meanings) {
        if (!strstr(words, meaning.words)) continue;
        return report(out_error, meaning.code, where, "%s%s", words, meaning.remedy);
    }
    return report(out_error, CH_LOAD_REFUSED, where, "%s", words);
}

// True if a code says that this process has used up what a strategy needs, so that another strategy may still work.
inline bool is_spent(Status failed) {
    return failed == CH_NAMESPACES_SPENT || failed == CH_STATIC_TLS_SPENT;
}

}  // namespace chiphost::loader

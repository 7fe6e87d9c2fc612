// SPDX-License-Identifier: Apache-2.0
//
// The loader's own limits, without chiphost, to compare chiphost's answers with.
#pragma once

#include <dlfcn.h>

#include <string>

#include "isolate/domain/namespace_probe.h"
#include "raw_outcome.h"

namespace chiphost::tests {

// Opens namespaces in a child with plain dlmopen, each with the library unless that is "", until the loader refuses, or
// 100. Returns their number, and what ran out: "11, then static TLS".
inline std::string plain_namespaces(const std::string& library, bool close_each = false,
                                    const std::string& first = CHIPHOST_ANCHOR) {
    return raw_outcome([&] {
        size_t opened = 0;
        for (; opened < 100; ++opened) {
            void* handle = dlmopen(LM_ID_NEWLM, first.c_str(), RTLD_NOW | RTLD_LOCAL);
            Lmid_t list = LM_ID_BASE;
            if (!handle || dlinfo(handle, RTLD_DI_LMID, &list) != 0) break;
            if (!library.empty() && !dlmopen(list, library.c_str(), RTLD_NOW | RTLD_LOCAL)) break;
            if (close_each) dlclose(handle);
        }
        const char* words = dlerror();
        const isolate::NamespaceLimit limit = isolate::limit_named_by(words ? words : "");
        return std::to_string(opened) + (limit == isolate::NamespaceLimit::static_tls ? ", then static TLS"
                                         : limit == isolate::NamespaceLimit::count    ? ", then no more namespaces"
                                                                                      : ", then something else");
    });
}

// The number of namespaces that this process can still open.
inline size_t plain_namespaces_left(const std::string& library = "") {
    return std::stoul(plain_namespaces(library));
}

}  // namespace chiphost::tests

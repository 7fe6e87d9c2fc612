// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

namespace chiphost::isolate {

enum class Strategy {
    // A linker namespace of its own (dlmopen): symbols, statics, libc, libstdc++, malloc and environ are apart. A
    // process can open some ten of them in its life.
    link_namespace,
    // A private copy of each file in the program's own namespace (RTLD_LOCAL): symbols and statics are apart, libc and
    // libstdc++ are shared. No limit; works with sanitizers and where there is no dlmopen.
    copy,
    // A process of its own (child_process.h): everything is apart, and a crash ends that process only.
    process,
};

// All of them, best first.
inline constexpr Strategy strategies[] = {Strategy::link_namespace, Strategy::copy, Strategy::process};

// "namespace", "copy", "process".
const char* strategy_name(Strategy strategy);

// The strategy of such a name. Nothing for any other text.
std::optional<Strategy> find_strategy(std::string_view name);

}  // namespace chiphost::isolate

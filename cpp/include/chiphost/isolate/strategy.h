// SPDX-License-Identifier: Apache-2.0
//
// The strategies that keep a library apart from the program and from its other instances.
#pragma once

#include <optional>
#include <string_view>

namespace chiphost::isolate {

// A way to isolate an instance.
enum class Strategy {
    // A linker namespace of its own (dlmopen): symbols, statics, libc, libstdc++, malloc and environ are apart. A
    // process can open about ten of them in its life.
    link_namespace,
    // A private copy of each file in the program's own namespace (RTLD_LOCAL): symbols and statics are apart, libc and
    // libstdc++ are shared. No limit; works with sanitizers and where there is no dlmopen.
    copy,
    // A process of its own: everything is apart, and a crash ends that process only.
    process,
};

// All of them, best first.
inline constexpr Strategy strategies[] = {Strategy::link_namespace, Strategy::copy, Strategy::process};

// Gives the name of a strategy: "namespace", "copy", "process".
//
// Ownership: the text is constant.
// Threads: any.
// Errors: none.
const char* strategy_name(Strategy strategy);

// Gives the strategy of such a name.
//
// name: "namespace", "copy" or "process", borrowed for the call.
// Returns: the strategy; nothing for any other text.
// Threads: any.
// Errors: none.
std::optional<Strategy> find_strategy(std::string_view name);

}  // namespace chiphost::isolate

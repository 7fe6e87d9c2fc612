// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace chiphost::loader {

// A variable that a library defines and another one, or the program, has for everybody under the same name: the
// library's own code uses that one then.
struct SharedVariable {
    std::string name;   // "" without one
    std::string owner;  // path of who has it
};

// The first such variable of a library that has just been loaded. What cannot be written is no variable, nor are the
// tables that C++ has for its types. Thread-local ones are not looked at. As the loader has bound it: symbol versions,
// visibility and -Bsymbolic count.
SharedVariable find_shared_variable(void* handle);

}  // namespace chiphost::loader

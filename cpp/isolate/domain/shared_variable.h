// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace chiphost::isolate {

// A variable that a library defines although another library, or the program, offers one of the same name to everybody:
// the library's own code uses the other one then.
struct SharedVariable {
    std::string name;   // "" without one
    std::string owner;  // path of the object that has it
};

// The first such variable of a library that has just been loaded. Data that cannot be written does not count, nor do
// the tables that C++ has for its types. Thread-local variables are not looked at. The answer is what the loader has
// bound: symbol versions, visibility and -Bsymbolic count.
SharedVariable find_shared_variable(void* handle);

}  // namespace chiphost::isolate

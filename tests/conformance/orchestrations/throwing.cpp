// SPDX-License-Identifier: Apache-2.0
//
// A library that cannot be loaded: the constructor of a variable throws.
#include <stdexcept>

namespace {

struct Thrower {
    Thrower() { throw std::runtime_error("thrown by a constructor"); }
} thrower;

}  // namespace

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>

// A type whose constructor throws; used as a static variable.
struct ThrowsWhenLoaded {
    ThrowsWhenLoaded() { throw std::runtime_error("what the constructor says"); }
};
static const ThrowsWhenLoaded throws_when_loaded;

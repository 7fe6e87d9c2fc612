// SPDX-License-Identifier: Apache-2.0
//
// What kernels begin with that are written against PTO-ISA, to be compiled once for all of them.
#pragma once

#include <cstdint>

// clang-format off
#include "bfloat16.h"  // first: it takes the place of a name that the others use
#include <pto/pto-inst.hpp>
// clang-format on

// SPDX-License-Identifier: Apache-2.0
//
// What kernels begin with that are written against PTO-ISA, to be compiled once for all of them.
#pragma once

#include <cstdint>

#include <pto/pto-inst.hpp>

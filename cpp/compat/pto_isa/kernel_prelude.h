// SPDX-License-Identifier: Apache-2.0
//
// The includes that every kernel written against PTO-ISA begins with, to be compiled once for all of them.
#pragma once

#include <cstdint>

#include <pto/pto-inst.hpp>

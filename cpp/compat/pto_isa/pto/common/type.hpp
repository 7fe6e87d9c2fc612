// SPDX-License-Identifier: Apache-2.0
//
// Found before PTO-ISA's header of this name.
#pragma once

#include <cstdint>  // PTO-ISA's header relies on it

#include_next <pto/common/type.hpp>

#include "../../bfloat16.h"

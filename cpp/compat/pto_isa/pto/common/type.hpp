// SPDX-License-Identifier: Apache-2.0
//
// Found before PTO-ISA's header of this name.
#pragma once

#include <cstdint>  // which PTO-ISA's header relies on

#include_next <pto/common/type.hpp>

#include "../../bfloat16.h"

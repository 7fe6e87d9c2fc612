// SPDX-License-Identifier: Apache-2.0
//
// Found before PTO-ISA's header of this name, as TPush.hpp is.
#pragma once

#include <pto/cpu/TPush.hpp>

#define mutex chiphost_pto_mutex
#define condition_variable chiphost_pto_condition_variable
#define TASSIGN chiphost_pto_assign_shared<Pipe>
#define TASSIGN_IMPL chiphost_pto_assign_shared<Pipe>
#include_next <pto/cpu/TPop.hpp>
#undef TASSIGN_IMPL
#undef TASSIGN
#undef condition_variable
#undef mutex

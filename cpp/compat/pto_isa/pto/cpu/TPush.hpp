// SPDX-License-Identifier: Apache-2.0
//
// Found before PTO-ISA's header of this name: where it makes a thread wait, the simulated core pauses. Tiles that one
// core leaves in another one's memory are in memory that both share.
#pragma once

#include <pto/cpu/TAssign.hpp>
#include <pto/cpu/TLoad.hpp>
#include <pto/cpu/TMov.hpp>
#include <pto/cpu/TStore.hpp>
#if __has_include(<pto/cpu/tile_offsets.hpp>)
#include <pto/cpu/tile_offsets.hpp>
#endif

#include "../../between_cores.h"

#define mutex chiphost_pto_mutex
#define condition_variable chiphost_pto_condition_variable
#define TASSIGN chiphost_pto_assign_shared<Pipe>
#define TASSIGN_IMPL chiphost_pto_assign_shared<Pipe>
#include_next <pto/cpu/TPush.hpp>
#undef TASSIGN_IMPL
#undef TASSIGN
#undef condition_variable
#undef mutex

// SPDX-License-Identifier: Apache-2.0
//
// Tensors that are made for a task.
#pragma once

#include <stdint.h>

#include "chiphost/abi/device_orchestration.h"

namespace chiphost::orchestrator {

constexpr uint64_t new_tensor_alignment = 1024;  // bytes, as in simpler

// Bytes of the elements; UINT64_MAX if that is more than there can be.
uint64_t new_tensor_bytes(const ch_tensor_spec& spec);

// Bytes that it takes of a heap: a multiple of new_tensor_alignment.
uint64_t new_tensor_heap_bytes(const ch_tensor_spec& spec);

// The tensor at an address, the new tensor `number` of task `owner`. Sets its elements if the specification says to
// what.
ch_device_tensor make_new_tensor(const ch_tensor_spec& spec, uint64_t address, int64_t owner, uint32_t number);

}  // namespace chiphost::orchestrator

// SPDX-License-Identifier: Apache-2.0
//
// Turns described values into a call frame, and a result back into a value.
#pragma once

#include <string>

#include "chiphost/abi/call_frame.h"
#include "chiphost/abi/error.h"
#include "chiphost/isolate/signature.h"
#include "status/status.h"

namespace chiphost::isolate {

// Checks that functions of this signature can be called on this machine at all. CH_SIGNATURE_UNSUPPORTED with the
// reason.
Status check_signature(const Signature& signature, const std::string& function, ch_error* out_error);

// Puts the arguments, one for each parameter of a signature that was checked, where the function will look for them.
void fill_frame(const Signature& signature, const Argument* arguments, ch_call_frame* out_frame);

// Reads a result as its type says.
Value read_result(Type type, uint64_t word);

}  // namespace chiphost::isolate

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "chiphost/abi/anchor.h"

namespace chiphost::isolate {

// The anchor's table as linked into this program or library.
const ch_anchor& anchor_of_this_program();

}  // namespace chiphost::isolate

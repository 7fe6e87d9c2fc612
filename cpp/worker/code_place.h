// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "text_line.h"

namespace chiphost::worker {

// Adds what is known of an address in code: "function+0x1c (library+0x115c)", as far as the dynamic symbols of the
// library tell, in whichever linker namespace it is. The second number is an offset in the file's addresses, as
// addr2line takes it. For signal handlers: no locks, no allocations.
void describe_code(const void* address, TextLine* line);

}  // namespace chiphost::worker

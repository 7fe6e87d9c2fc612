// SPDX-License-Identifier: Apache-2.0
//
// The one symbol of the anchor as a shared library.
#include "anchor.h"

extern "C" __attribute__((visibility("default"))) const ch_anchor* chiphost_anchor() {
    return &chiphost::isolate::anchor_of_this_program();
}

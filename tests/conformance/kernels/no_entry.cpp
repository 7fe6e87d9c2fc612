// SPDX-License-Identifier: Apache-2.0
//
// A library that is no kernel.
extern "C" int not_a_kernel_entry() {
    return 0;
}

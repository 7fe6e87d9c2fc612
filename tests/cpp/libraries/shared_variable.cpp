// SPDX-License-Identifier: Apache-2.0
//
// A library that defines a variable of a name that other libraries have, too: one that everybody may write, or a
// CONSTANT, or one that is HIDDEN from others.
#define EXPORT __attribute__((visibility("default")))

extern "C" {

#if defined(CONSTANT)
EXPORT extern const int chiphost_test_variable;
const int chiphost_test_variable = 1;
#elif defined(HIDDEN)
__attribute__((visibility("hidden"))) int chiphost_test_variable = 1;
#else
EXPORT int chiphost_test_variable = 1;
#endif

EXPORT const int* variable_in_use() {
    return &chiphost_test_variable;
}
}

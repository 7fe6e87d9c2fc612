// SPDX-License-Identifier: Apache-2.0
//
// A library that notes which of its constructors have run, and with what. With THROWS the second one throws.
#include <fenv.h>
#include <stdint.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

static int32_t order = 0;  // the digits of those that have run
static int32_t arguments = -1;
static char** environment = nullptr;

__attribute__((constructor(201))) static void first(int count, char** list, char** variables) {
    order = order * 10 + 1;
    arguments = list[count] ? -2 : count;
    environment = variables;
}

__attribute__((constructor(202))) static void second() {
    order = order * 10 + 2;
    fesetround(FE_UPWARD);
#ifdef THROWS
    throw 5;
#endif
}

EXPORT int32_t constructors_noted() {
    return order;
}
EXPORT int32_t arguments_noted() {
    return arguments;
}
EXPORT char** environment_noted() {
    return environment;
}

// SPDX-License-Identifier: Apache-2.0
//
// A library that does nothing: a call of it costs only the way there and back.
extern "C" void do_nothing() {}

extern "C" int add(int a, int b) {
    return a + b;
}

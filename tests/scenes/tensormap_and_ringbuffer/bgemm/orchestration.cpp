// SPDX-License-Identifier: Apache-2.0
//
// On a5 a step is one MIX task whose cores hand the product over; elsewhere it is two tasks.
#ifdef CHIPHOST_ARCH_A5
#include "orchestration_mix.cpp"
#else
#include "orchestration_two_tasks.cpp"
#endif

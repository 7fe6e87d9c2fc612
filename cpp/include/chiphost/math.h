// SPDX-License-Identifier: Apache-2.0
//
// The few functions of <math.h> that kernels on the simulated chip use most, without the 200 ms of compile time that
// the standard library's header costs.
#pragma once

namespace chiphost {

inline float exp(float x) {
    return __builtin_expf(x);
}
inline float log(float x) {
    return __builtin_logf(x);
}
inline float sqrt(float x) {
    return __builtin_sqrtf(x);
}
inline float max(float a, float b) {
    return a > b ? a : b;
}
inline float infinity() {
    return __builtin_inff();
}

}  // namespace chiphost

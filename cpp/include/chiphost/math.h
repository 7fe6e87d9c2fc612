// SPDX-License-Identifier: Apache-2.0
//
// Functions of <math.h> for floats, for kernels that run on the simulated chip, without the 200 ms of compile time that
// the standard library's header costs. They are those of the host's C library: on a real chip, kernels use the ones of
// the vendor's compiler. A kernel for the simulated chip may include <cmath> all the same, for doubles and what is
// missing here.
#pragma once

namespace chiphost {

inline float exp(float x) {
    return __builtin_expf(x);
}
inline float exp2(float x) {
    return __builtin_exp2f(x);
}
inline float expm1(float x) {
    return __builtin_expm1f(x);
}
inline float log(float x) {
    return __builtin_logf(x);
}
inline float log2(float x) {
    return __builtin_log2f(x);
}
inline float log1p(float x) {
    return __builtin_log1pf(x);
}
inline float pow(float x, float y) {
    return __builtin_powf(x, y);
}
inline float sqrt(float x) {
    return __builtin_sqrtf(x);
}
inline float sin(float x) {
    return __builtin_sinf(x);
}
inline float cos(float x) {
    return __builtin_cosf(x);
}
inline float tanh(float x) {
    return __builtin_tanhf(x);
}
// The error function, as in GELU.
inline float erf(float x) {
    return __builtin_erff(x);
}
inline float erfc(float x) {
    return __builtin_erfcf(x);
}
inline float abs(float x) {
    return __builtin_fabsf(x);
}
inline float floor(float x) {
    return __builtin_floorf(x);
}
inline float ceil(float x) {
    return __builtin_ceilf(x);
}
inline float trunc(float x) {
    return __builtin_truncf(x);
}
// To the nearest integer, of two equally near ones the even one.
inline float rint(float x) {
    return __builtin_rintf(x);
}
// x * y + z, rounded once.
inline float fma(float x, float y, float z) {
    return __builtin_fmaf(x, y, z);
}
inline float max(float a, float b) {
    return a > b ? a : b;
}
inline float min(float a, float b) {
    return a < b ? a : b;
}
inline bool isnan(float x) {
    return __builtin_isnan(x);
}
inline bool isinf(float x) {
    return __builtin_isinf(x);
}
inline float infinity() {
    return __builtin_inff();
}

}  // namespace chiphost

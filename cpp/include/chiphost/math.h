// SPDX-License-Identifier: Apache-2.0
//
// Functions of <math.h> for floats, for kernels that run on the simulated chip, without the 200 ms of compile time that
// the standard library's header costs. They are those of the host's C library: on a real chip, kernels use the ones of
// the vendor's compiler. A kernel for the simulated chip may include <cmath> all the same, for doubles and what is
// missing here.
//
// x: the argument.
// Threads: any.
// Errors: none; where a function has no value the result is NaN, as in <math.h>.
#pragma once

namespace chiphost {

// Exponentials, base e and base 2; `expm1` is exp(x) - 1, exact also for small x.
inline float exp(float x) {
    return __builtin_expf(x);
}
inline float exp2(float x) {
    return __builtin_exp2f(x);
}
inline float expm1(float x) {
    return __builtin_expm1f(x);
}

// Logarithms, base e and base 2; `log1p` is log(1 + x), exact also for small x.
inline float log(float x) {
    return __builtin_logf(x);
}
inline float log2(float x) {
    return __builtin_log2f(x);
}
inline float log1p(float x) {
    return __builtin_log1pf(x);
}

// Power: `x` to the `y`.
inline float pow(float x, float y) {
    return __builtin_powf(x, y);
}

// Square root.
inline float sqrt(float x) {
    return __builtin_sqrtf(x);
}

// Trigonometric and hyperbolic functions of an angle in radians.
inline float sin(float x) {
    return __builtin_sinf(x);
}
inline float cos(float x) {
    return __builtin_cosf(x);
}
inline float tanh(float x) {
    return __builtin_tanhf(x);
}

// The error function, as in GELU, and its complement.
inline float erf(float x) {
    return __builtin_erff(x);
}
inline float erfc(float x) {
    return __builtin_erfcf(x);
}

// The absolute value.
inline float abs(float x) {
    return __builtin_fabsf(x);
}

// Rounding to integers: down, up, towards zero.
inline float floor(float x) {
    return __builtin_floorf(x);
}
inline float ceil(float x) {
    return __builtin_ceilf(x);
}
inline float trunc(float x) {
    return __builtin_truncf(x);
}

// Rounding to the nearest integer, of two equally near ones to the even one.
inline float rint(float x) {
    return __builtin_rintf(x);
}

// Computes x * y + z, rounded once.
inline float fma(float x, float y, float z) {
    return __builtin_fmaf(x, y, z);
}

// The larger and the smaller of two numbers, `a` and `b`; `b` if one of them is NaN.
inline float max(float a, float b) {
    return a > b ? a : b;
}
inline float min(float a, float b) {
    return a < b ? a : b;
}

// Tells that a number is NaN, or infinite.
inline bool isnan(float x) {
    return __builtin_isnan(x);
}
inline bool isinf(float x) {
    return __builtin_isinf(x);
}

// Gives the positive infinity.
inline float infinity() {
    return __builtin_inff();
}

}  // namespace chiphost

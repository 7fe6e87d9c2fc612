// SPDX-License-Identifier: Apache-2.0
//
// Floating-point numbers of two bytes, for orchestrations and for kernels that run on the simulated chip: float16 (IEEE
// 754 binary16) and bfloat16 (the upper half of a float). They are for storage: operations on them are done on floats,
// and it is the compiler's choice whether a float16 is rounded before it is stored. Compute with floats.
//
// A float or double becomes the nearest value, of two equally near ones the even one, in one rounding; a number of
// another type is converted to double first. What is too large becomes an infinity. A NaN stays one, quiet, with its
// sign; a float16 keeps the upper bits of its payload too, as NumPy does, a bfloat16 has none, as in ml_dtypes.
//
// Threads: any.
#pragma once

#include <stdint.h>
#include <string.h>

namespace chiphost {

namespace float16_detail {

template <bool>
struct NumberIf {};
template <>
struct NumberIf<true> {
    using Type = int;
};

// The bits of the nearest number of two bytes with so many bits of mantissa.
template <int mantissa_bits, bool keeps_payload>
inline uint16_t round_double(double value) {
    constexpr int bias = (1 << (14 - mantissa_bits)) - 1;  // of the exponent
    constexpr int dropped_bits = 52 - mantissa_bits;
    constexpr uint32_t infinity = ((1u << (15 - mantissa_bits)) - 1) << mantissa_bits;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = static_cast<uint32_t>(bits >> 48) & 0x8000u;
    bits &= UINT64_MAX >> 1;
    if (bits > uint64_t{0x7FF} << 52) {  // NaN
        const uint32_t payload = static_cast<uint32_t>(bits >> dropped_bits) & ((1u << mantissa_bits) - 1);
        return static_cast<uint16_t>(sign | infinity | 1u << (mantissa_bits - 1) | (keeps_payload ? payload : 0));
    }
    const int exponent = static_cast<int>(bits >> 52) - 1023;
    if (exponent > bias) return static_cast<uint16_t>(sign | infinity);
    if (exponent < -bias - mantissa_bits) return static_cast<uint16_t>(sign);  // below half of the least number
    uint64_t mantissa = (bits & ((uint64_t{1} << 52) - 1)) | uint64_t{1} << 52;
    const int shift = exponent > -bias ? dropped_bits : dropped_bits + 1 - bias - exponent;
    const uint32_t rest_of_exponent = exponent > -bias ? static_cast<uint32_t>(exponent + bias - 1) : 0;
    const uint64_t dropped = mantissa & ((uint64_t{1} << shift) - 1);
    const uint64_t half = uint64_t{1} << (shift - 1);
    mantissa >>= shift;
    if (dropped > half || (dropped == half && (mantissa & 1))) ++mantissa;
    // The mantissa's upper bit, which is not stored, adds one to the exponent; a carry from rounding adds one more.
    return static_cast<uint16_t>(sign | ((rest_of_exponent << mantissa_bits) + static_cast<uint32_t>(mantissa)));
}

struct HalfFormat {
    static uint16_t from_double(double value) { return round_double<10, true>(value); }
    static float to_float(uint16_t half) {
        const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
        uint32_t exponent = (half >> 10) & 0x1Fu;
        uint32_t mantissa = half & 0x3FFu;
        uint32_t bits;
        if (exponent == 0x1F) {
            bits = sign | 0x7F800000u | (mantissa << 13) | (mantissa ? 0x400000u : 0);
        } else if (exponent != 0) {
            bits = sign | ((exponent + 112) << 23) | (mantissa << 13);
        } else if (mantissa == 0) {
            bits = sign;
        } else {
            exponent = 113;
            while (!(mantissa & 0x400u)) {
                mantissa <<= 1;
                --exponent;
            }
            bits = sign | (exponent << 23) | ((mantissa & 0x3FFu) << 13);
        }
        float value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
};

struct Bfloat16Format {
    static uint16_t from_double(double value) { return round_double<7, false>(value); }
    static float to_float(uint16_t upper) {
        const uint32_t bits = static_cast<uint32_t>(upper) << 16;
        float value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
};

// A number of a format that the compiler has no type for.
template <typename Format>
class Software {
public:
    Software() = default;
    template <typename Number, typename NumberIf<!__is_class(Number)>::Type = 0>
    Software(Number value) : bits_(Format::from_double(static_cast<double>(value))) {}
    template <typename Other>
    Software(Software<Other> value) : Software(static_cast<float>(value)) {}
    operator float() const { return Format::to_float(bits_); }

    Software& operator+=(float value) { return *this = *this + value; }
    Software& operator-=(float value) { return *this = *this - value; }
    Software& operator*=(float value) { return *this = *this * value; }
    Software& operator/=(float value) { return *this = *this / value; }

private:
    uint16_t bits_;
};

#if defined(__ARM_FP16_FORMAT_IEEE)
using WithoutFloat16 = __fp16;  // has the same conversions
#else
using WithoutFloat16 = Software<HalfFormat>;
#endif

template <typename Function>
struct Half {
    using Type = WithoutFloat16;
};

// No macro tells whether there is a _Float16: g++ 12 for aarch64 has __FLT16_MAX__, and the type in C only. So the
// compiler is asked. In a list of parameters, `int (_Float16)` is a function that takes a _Float16 if that is a type,
// and an int of that name if it is not. clang++ knows the name everywhere, and refuses it for x86 before version 15.
#if !defined(__clang__) || __clang_major__ >= 15 || !(defined(__x86_64__) || defined(__i386__))
__extension__ int ask(int(_Float16));

template <typename Type_>
struct Half<int(int (*)(Type_))> {
    using Type = Type_;
};
#else
int ask(int);
#endif

}  // namespace float16_detail

// IEEE 754 binary16: the compiler's own type where it has one, otherwise a class that converts from numbers and to
// float.
using float16 = float16_detail::Half<decltype(float16_detail::ask)>::Type;
static_assert(sizeof(float16) == 2, "float16 is a storage format");

// The upper half of a float: a class that converts from numbers and to float.
using bfloat16 = float16_detail::Software<float16_detail::Bfloat16Format>;
static_assert(sizeof(bfloat16) == 2, "bfloat16 is a storage format");

}  // namespace chiphost

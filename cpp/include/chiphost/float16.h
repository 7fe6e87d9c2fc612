// SPDX-License-Identifier: Apache-2.0
//
// IEEE 754 binary16 for kernels that run on the simulated chip. Storage is 2 bytes; arithmetic is done in float.
#pragma once

#include <stdint.h>
#include <string.h>

namespace chiphost {

#if defined(__FLT16_MAX__)

// The compiler's own type: conversions round to nearest even.
using float16 = _Float16;

#else

// For compilers without _Float16 on this processor.
class float16 {
public:
    float16() = default;
    float16(float value) : bits_(from_float(value)) {}
    operator float() const { return to_float(bits_); }

private:
    static uint16_t from_float(float value) {
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        const uint32_t sign = (bits >> 16) & 0x8000u;
        bits &= 0x7FFFFFFFu;
        if (bits > 0x7F800000u) return static_cast<uint16_t>(sign | 0x7E00u);   // NaN
        if (bits >= 0x477FF000u) return static_cast<uint16_t>(sign | 0x7C00u);  // rounds to 65536 or more: infinity
        if (bits < 0x33000001u) return static_cast<uint16_t>(sign);             // rounds to 0 (2^-25 is a tie to even)
        const int exponent = static_cast<int>(bits >> 23) - 127;
        uint32_t mantissa = (bits & 0x7FFFFFu) | 0x800000u;
        int shift = 13;
        uint32_t result = 0;
        if (exponent >= -14) {
            result = static_cast<uint32_t>(exponent + 14) << 10;  // the hidden bit adds one more
        } else {
            shift += -14 - exponent;  // subnormal
        }
        const uint32_t rest = mantissa & ((1u << shift) - 1);
        const uint32_t half = 1u << (shift - 1);
        mantissa >>= shift;
        if (rest > half || (rest == half && (mantissa & 1))) ++mantissa;
        return static_cast<uint16_t>(sign | (result + mantissa));
    }

    static float to_float(uint16_t half) {
        const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
        uint32_t exponent = (half >> 10) & 0x1Fu;
        uint32_t mantissa = half & 0x3FFu;
        uint32_t bits;
        if (exponent == 0x1F) {
            bits = sign | 0x7F800000u | (mantissa << 13);
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

    uint16_t bits_;
};

#endif

static_assert(sizeof(float16) == 2, "float16 is a storage format");

}  // namespace chiphost

// SPDX-License-Identifier: Apache-2.0
//
// bfloat16_t for kernels that were written for simpler, included before everything else. Where the compiler has no such
// type, or an older C++ is asked for, the headers of PTO-ISA take the other 16-bit float for it: the same bits are
// another number then. Here it is what it says, and can be multiplied as a matrix. A real chip has its own.
#pragma once

#if defined(__CPU_SIM) && __has_include(<pto/common/type.hpp>)
#include <cstdint>
#include <limits>
#include <type_traits>

#include <pto/common/type.hpp>  // declares its own, which is out of the way from here on

#ifndef CPU_SIM_BFLOAT_ENABLED

namespace chiphost_simpler {

// The upper half of a float. Numbers are rounded to the nearest, ties to even.
class bfloat16 {
public:
    bfloat16() = default;
    template <typename Number, typename = decltype(static_cast<float>(Number()))>
    constexpr bfloat16(Number number) : bits_(rounded(static_cast<float>(number))) {}
    constexpr operator float() const { return __builtin_bit_cast(float, static_cast<uint32_t>(bits_) << 16); }

    template <typename Number>
    constexpr bfloat16& operator+=(Number other) {
        return *this = *this + other;
    }
    template <typename Number>
    constexpr bfloat16& operator-=(Number other) {
        return *this = *this - other;
    }
    template <typename Number>
    constexpr bfloat16& operator*=(Number other) {
        return *this = *this * other;
    }
    template <typename Number>
    constexpr bfloat16& operator/=(Number other) {
        return *this = *this / other;
    }

private:
    static constexpr uint16_t rounded(float number) {
        const uint32_t bits = __builtin_bit_cast(uint32_t, number);
        const bool is_nan = (bits & 0x7fffffff) > 0x7f800000;
        return static_cast<uint16_t>(is_nan ? bits >> 16 | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }

    uint16_t bits_;
};

}  // namespace chiphost_simpler

template <>
class std::numeric_limits<chiphost_simpler::bfloat16> : public std::numeric_limits<float> {
    using bfloat16 = chiphost_simpler::bfloat16;

public:
    static constexpr int digits = 8, digits10 = 2, max_digits10 = 4;
    static constexpr bfloat16 min() noexcept { return 0x1p-126F; }
    static constexpr bfloat16 max() noexcept { return 0x1.fep+127F; }
    static constexpr bfloat16 lowest() noexcept { return -0x1.fep+127F; }
    static constexpr bfloat16 epsilon() noexcept { return 0x1p-7F; }
    static constexpr bfloat16 round_error() noexcept { return 0.5F; }
    static constexpr bfloat16 denorm_min() noexcept { return 0x1p-133F; }
    static constexpr bfloat16 infinity() noexcept { return std::numeric_limits<float>::infinity(); }
    static constexpr bfloat16 quiet_NaN() noexcept { return std::numeric_limits<float>::quiet_NaN(); }
    static constexpr bfloat16 signaling_NaN() noexcept { return quiet_NaN(); }
};

#define bfloat16_t chiphost_simpler::bfloat16
#endif  // CPU_SIM_BFLOAT_ENABLED

namespace pto {

// The simulation's TMATMUL asks this. The one of PTO-ISA knows the other 16-bit float only.
template <typename Result, typename Left, typename Right>
    requires(std::is_same_v<typename Left::DType, bfloat16_t>)
inline void CheckMadValid() {
    static_assert(std::is_same_v<typename Right::DType, bfloat16_t> && std::is_same_v<typename Result::DType, float>,
                  "of bfloat16_t only float comes");
    static_assert(Left::Rows == Result::Rows && Left::Cols == Right::Rows && Right::Cols == Result::Cols,
                  "the matrices do not fit each other");
}

}  // namespace pto

#endif  // __CPU_SIM

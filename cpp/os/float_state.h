// SPDX-License-Identifier: Apache-2.0
//
// The floating-point environment of a thread: how it rounds, what it does with denormals, what traps.
//
// It belongs to the thread, so what one user's code sets there would change what the next one computes. `fesetround`
// does it, and every library that was linked with -ffast-math does it when it is loaded.
#pragma once

#include <stdint.h>

namespace chiphost::os {

// The default is the known state: rounds to nearest, keeps denormals, nothing traps, long double with all its bits.
class FloatState {
public:
    FloatState() = default;

    // The state of this thread now.
    static FloatState of_this_thread() {
        FloatState state;
#if defined(__x86_64__)
        __asm__ volatile("stmxcsr %0" : "=m"(state.mxcsr_));
        __asm__ volatile("fnstcw %0" : "=m"(state.x87_control_));
#elif defined(__aarch64__)
        __asm__ volatile("mrs %0, fpcr" : "=r"(state.fpcr_));
        __asm__ volatile("mrs %0, fpsr" : "=r"(state.fpsr_));
#endif
        return state;
    }

    // Gives this thread the state, without the flags of its x87 unit. Takes two nanoseconds, so that it can follow
    // every kernel.
    void restore_quickly() const {
#if defined(__x86_64__)
        // Writing costs nothing where reading costs ten nanoseconds (AMD Zen), and reading the flags of x87 as much.
        __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr_));
        __asm__ volatile("emms");  // anything left on its stack, or by MMX code, makes the next long double a NaN
        uint16_t control;
        __asm__ volatile("fnstcw %0" : "=m"(control));
        if (__builtin_expect(control != x87_control_, 0)) restore_x87();
#elif defined(__aarch64__)
        uint64_t fpcr;
        uint64_t fpsr;
        __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
        __asm__ volatile("mrs %0, fpsr" : "=r"(fpsr));
        if (__builtin_expect(fpcr != fpcr_, 0)) __asm__ volatile("msr fpcr, %0" : : "r"(fpcr_));
        if (fpsr != fpsr_) __asm__ volatile("msr fpsr, %0" : : "r"(fpsr_));
#endif
    }

    // Gives this thread the whole state.
    void restore() const {
        restore_quickly();
#if defined(__x86_64__)
        uint16_t status;
        __asm__ volatile("fnstsw %0" : "=a"(status));
        if (status != 0) restore_x87();
#endif
    }

private:
#if defined(__x86_64__)
    void restore_x87() const {
        __asm__ volatile("fninit");
        __asm__ volatile("fldcw %0" : : "m"(x87_control_));
    }

    uint32_t mxcsr_ = 0x1F80;
    uint16_t x87_control_ = 0x037F;
#elif defined(__aarch64__)
    uint64_t fpcr_ = 0;
    uint64_t fpsr_ = 0;
#endif
};

}  // namespace chiphost::os

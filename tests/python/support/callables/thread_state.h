// SPDX-License-Identifier: Apache-2.0
//
// Changes that code can make to the thread that it runs on, and facts that it finds there.
#pragma once

#include <fenv.h>
#include <locale.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace thread_state {

constexpr int changes = 12;     // 1 to changes
constexpr int facts = 14;       // the number that look() writes
constexpr int float_facts = 7;  // the first of these

// Product of the smallest kinds of doubles; computed at run time, whatever the compiler's flags.
inline double denormal_product() {
    volatile double tiny = 1e-310;
    volatile double half = 0.5;
    return tiny * half;
}

inline void change(int what) {
    switch (what) {
        case 1:
            fesetround(FE_UPWARD);
            return;
        case 2:
#if defined(__x86_64__)
            __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#elif defined(__aarch64__)
            __asm__ volatile("msr fpcr, %0" : : "r"(uint64_t{1} << 24));
#endif
            return;
        case 3:
            feenableexcept(FE_DIVBYZERO | FE_INVALID);
            return;
        case 4: {
#if defined(__x86_64__)
            const uint16_t single = 0x007F;
            __asm__ volatile("fldcw %0" : : "m"(single));
#endif
            return;
        }
        case 5: {
            sigset_t mask;
            sigemptyset(&mask);
            sigaddset(&mask, SIGFPE);
            sigaddset(&mask, SIGUSR2);
            pthread_sigmask(SIG_SETMASK, &mask, nullptr);
            return;
        }
        case 6: {
            cpu_set_t all;
            cpu_set_t one;
            sched_getaffinity(0, sizeof all, &all);
            CPU_ZERO(&one);
            for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++i) {
                if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
            }
            sched_setaffinity(0, sizeof one, &one);
            return;
        }
        case 7: {
            const id_t thread = static_cast<id_t>(syscall(SYS_gettid));
            setpriority(PRIO_PROCESS, thread, getpriority(PRIO_PROCESS, thread) + 5);
            return;
        }
        case 8:
            uselocale(newlocale(LC_ALL_MASK, "C", nullptr));
            return;
        case 9:
            prctl(PR_SET_NAME, "mine");
            return;
        case 10:
#if defined(__x86_64__)
            __asm__ volatile("pxor %%mm0, %%mm0\n\tmovd %%mm0, %%eax" : : : "eax", "mm0");
#endif
            return;
        case 11: {
            const sched_param none{};
            sched_setscheduler(0, SCHED_BATCH, &none);
            return;
        }
        case 12: {
            stack_t without{};
            without.ss_flags = SS_DISABLE;
            sigaltstack(&without, nullptr);
            return;
        }
    }
}

inline void look(int64_t* out) {
    volatile long double one = 1;
    volatile long double tiny = 0x1p-50L;
    volatile double third = 1;
    third = third / 3;
    const double rounded = third;
    memcpy(&out[0], &rounded, sizeof rounded);
    out[1] = fegetround();
    out[2] = fegetexcept();
    out[3] = denormal_product() != 0;
    out[4] = one + tiny != one;
    out[5] = isnan(static_cast<double>(one + tiny));
#if defined(__x86_64__)
    out[6] = __builtin_ia32_stmxcsr() & ~0x3F;  // the flags are those of the computations above
#endif
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    out[7] = 0;
    for (int number = 1; number < 32; ++number) out[7] |= int64_t{sigismember(&mask, number) == 1} << number;
    cpu_set_t processors;
    sched_getaffinity(0, sizeof processors, &processors);
    out[8] = CPU_COUNT(&processors);
    out[9] = getpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)));
    out[10] = uselocale(nullptr) == LC_GLOBAL_LOCALE;
    char name[16] = {};
    prctl(PR_GET_NAME, name);
    out[11] = strcmp(name, "mine") != 0;
    out[12] = sched_getscheduler(0);
    stack_t stack{};
    sigaltstack(nullptr, &stack);
    out[13] = stack.ss_flags;
}

}  // namespace thread_state

// SPDX-License-Identifier: Apache-2.0
#include "os/thread_state.h"

#include <errno.h>
#include <fenv.h>
#include <float.h>
#include <gtest/gtest.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace chiphost::os {

namespace {

// What a library that was linked with -ffast-math does when it is loaded.
void flush_denormals() {
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);  // FTZ and DAZ
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    __asm__ volatile("msr fpcr, %0" : : "r"(fpcr | uint64_t{1} << 24));
#endif
}

bool makes_denormals() {
    volatile float smallest = FLT_MIN;
    smallest = smallest / 2;
    return smallest != 0;
}

bool takes_denormals() {
    volatile float denormal = FLT_TRUE_MIN;
    volatile float product = denormal * 16777216.0f;
    return product != 0;
}

std::string name_of_this_thread() {
    char name[16];
    prctl(PR_GET_NAME, name);
    return name;
}

bool is_blocked(int signal) {
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    return sigismember(&blocked, signal) == 1;
}

void set_blocked(int how, int signal) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, signal);
    pthread_sigmask(how, &signals, nullptr);
}

}  // namespace

TEST(FloatState, IsARoundingMode) {
    const FloatState before = FloatState::of_this_thread();
    for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
        ASSERT_EQ(fesetround(mode), 0);
        const FloatState of_mode = FloatState::of_this_thread();
        before.restore_quickly();
        EXPECT_EQ(fegetround(), FE_TONEAREST);
        of_mode.restore();
        EXPECT_EQ(fegetround(), mode);
        before.restore();
        EXPECT_EQ(fegetround(), FE_TONEAREST);
        volatile long double one = 1, three = 3;  // another unit computes these on x86
        EXPECT_EQ(one / three, 1.0L / 3.0L);
    }
}

TEST(FloatState, IsWhatBecomesOfDenormals) {
    ASSERT_TRUE(makes_denormals());
    const FloatState before = FloatState::of_this_thread();
    flush_denormals();
    ASSERT_FALSE(makes_denormals());
    before.restore_quickly();
    EXPECT_TRUE(makes_denormals());
    EXPECT_TRUE(takes_denormals());
    flush_denormals();
    FloatState().restore();
    EXPECT_TRUE(makes_denormals()) << "the known state";
    EXPECT_TRUE(takes_denormals());
}

TEST(FloatState, IsWhatTraps) {
#if defined(__x86_64__)  // elsewhere a processor may have no traps
    const FloatState before = FloatState::of_this_thread();
    ASSERT_NE(feenableexcept(FE_DIVBYZERO), -1);
    ASSERT_EQ(fegetexcept(), FE_DIVBYZERO);
    before.restore_quickly();
    EXPECT_EQ(fegetexcept(), 0);
    volatile float zero = 0;
    volatile float ignored = 1 / zero;
    static_cast<void>(ignored);
#else
    GTEST_SKIP() << "for x86-64";
#endif
}

TEST(FloatState, IsWhichFlagsAreRaised) {
    feclearexcept(FE_ALL_EXCEPT);
    const FloatState before = FloatState::of_this_thread();
    feraiseexcept(FE_OVERFLOW);
    ASSERT_NE(fetestexcept(FE_OVERFLOW), 0);
    before.restore();
    EXPECT_EQ(fetestexcept(FE_ALL_EXCEPT), 0);
}

TEST(ThreadState, RestoresAllThatCodeMayChange) {
    std::thread([] {
        prctl(PR_SET_NAME, "before");
        set_blocked(SIG_BLOCK, SIGUSR1);
        set_blocked(SIG_UNBLOCK, SIGUSR2);
        static char first[64 << 10], second[64 << 10];
        stack_t at_start;
        const stack_t before{first, 0, sizeof first}, after{second, 0, sizeof second};
        ASSERT_EQ(sigaltstack(&before, &at_start), 0);
        const ThreadState state = ThreadState::of_this_thread();

        fesetround(FE_UPWARD);
        set_blocked(SIG_UNBLOCK, SIGUSR1);
        set_blocked(SIG_BLOCK, SIGUSR2);
        prctl(PR_SET_NAME, "after");
        const locale_t locale = newlocale(LC_ALL_MASK, "C", nullptr);
        const locale_t locale_before = uselocale(locale);
        ASSERT_EQ(sigaltstack(&after, nullptr), 0);

        errno = EXDEV;
        EXPECT_TRUE(state.restore());
        EXPECT_EQ(errno, EXDEV);
        EXPECT_EQ(fegetround(), FE_TONEAREST);
        EXPECT_TRUE(is_blocked(SIGUSR1));
        EXPECT_FALSE(is_blocked(SIGUSR2));
        EXPECT_EQ(name_of_this_thread(), "before");
        EXPECT_EQ(uselocale(nullptr), locale_before);
        freelocale(locale);
        stack_t found;
        sigaltstack(nullptr, &found);
        EXPECT_EQ(found.ss_sp, first);
        sigaltstack(&at_start, nullptr);  // a sanitizer's, which it wants to find at the end
    }).join();
}

TEST(ThreadState, RestoresProcessors) {
    cpu_set_t before;
    ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
    if (CPU_COUNT(&before) < 2) GTEST_SKIP() << "there is one processor only";
    std::thread([&] {
        const ThreadState state = ThreadState::of_this_thread();
        cpu_set_t one;
        CPU_ZERO(&one);
        for (size_t cpu = 0; CPU_COUNT(&one) == 0; ++cpu) {
            if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
        }
        ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
        state.restore_quickly();
        cpu_set_t found;
        sched_getaffinity(0, sizeof found, &found);
        EXPECT_TRUE(CPU_EQUAL(&found, &one)) << "that takes too long for every kernel";
        EXPECT_TRUE(state.restore());
        sched_getaffinity(0, sizeof found, &found);
        EXPECT_TRUE(CPU_EQUAL(&found, &before));
    }).join();
}

TEST(ThreadState, SaysIfAPartIsRefused) {
    std::thread([] {
        const auto thread = static_cast<id_t>(syscall(SYS_gettid));
        const int before = getpriority(PRIO_PROCESS, thread);
        ThreadState state = ThreadState::of_this_thread();
        if (before == 19 || setpriority(PRIO_PROCESS, thread, before + 1) != 0) GTEST_SKIP() << "no lower priority";
        // An ordinary user may not have it back, unless the limit says so. This makes one of this thread only.
        constexpr uid_t nobody = 65'534;
        if (geteuid() == 0 && syscall(SYS_setresuid, nobody, nobody, nobody) != 0) FAIL() << "still the superuser";
        errno = EXDEV;
        const bool restored = state.restore();
        EXPECT_EQ(errno, EXDEV);
        EXPECT_EQ(restored, getpriority(PRIO_PROCESS, thread) == before);
        state.refresh();
        EXPECT_TRUE(state.restore()) << "others may change it meanwhile";
    }).join();
}

TEST(ThreadStateGuard, LetsSignalsThroughThatAreHandledNow) {
    std::thread([] {
        for (const int signal : {SIGUSR1, SIGUSR2}) set_blocked(SIG_BLOCK, signal);
        {
            const ThreadStateGuard guard;
            prctl(PR_SET_NAME, "inside");
            signal(SIGUSR1, [](int) {});
            for (const int signal : {SIGUSR1, SIGUSR2}) set_blocked(SIG_UNBLOCK, signal);
        }
        EXPECT_FALSE(is_blocked(SIGUSR1)) << "whoever has the handler relies on it";
        EXPECT_TRUE(is_blocked(SIGUSR2));
        EXPECT_NE(name_of_this_thread(), "inside");
        signal(SIGUSR1, SIG_DFL);
    }).join();
}

}  // namespace chiphost::os

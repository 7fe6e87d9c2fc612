// SPDX-License-Identifier: Apache-2.0
#include "loader/loader_gate.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace chiphost::isolate {

namespace {

constexpr uint64_t second_ns = 1'000'000'000;

uint32_t forks_of(ch_loader_gate* gate) {
    return __atomic_load_n(&gate->forking, __ATOMIC_SEQ_CST);
}

int exit_code_of(pid_t child) {
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST(LoaderGate, MayBeMissing) {
    const loader::LoaderPass pass(nullptr);
}

TEST(LoaderGate, LetsSeveralIn) {
    ch_loader_gate gate{};
    const loader::LoaderPass first(&gate);
    std::thread([&] { const loader::LoaderPass second(&gate); }).join();
    EXPECT_EQ(ch_loader_gate_close(&gate, 0), 0);
}

TEST(LoaderGate, KeepsNewcomersOutWhileItIsClosed) {
    ch_loader_gate gate{};
    ASSERT_EQ(ch_loader_gate_close(&gate, second_ns), 1);
    ASSERT_EQ(ch_loader_gate_close(&gate, second_ns), 1) << "two forks at once";
    std::atomic<bool> opened{false};
    std::vector<std::thread> newcomers;
    for (int i = 0; i < 4; ++i) {
        newcomers.emplace_back([&] {
            const loader::LoaderPass pass(&gate);
            EXPECT_TRUE(opened);
        });
    }
    ch_loader_gate_open(&gate);
    opened = true;
    ch_loader_gate_open(&gate);
    for (std::thread& newcomer : newcomers) newcomer.join();
}

// Several forks wait for a thread that is inside; all go on when it leaves.
TEST(LoaderGate, LetsAllForksGoOnAtOnce) {
    ch_loader_gate gate{};
    ch_loader_gate_enter(&gate);
    constexpr uint32_t count = 4;
    std::atomic<uint32_t> late{0};
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < count; ++i) {
        threads.emplace_back([&] { late += ch_loader_gate_close(&gate, 60 * second_ns) == 0; });
    }
    const uint64_t start = ch_monotonic_ns();
    while (forks_of(&gate) != count) std::this_thread::yield();
    // They are about to sleep; a fork that comes too late to be woken needs no waking.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ch_loader_gate_leave(&gate);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(late, 0u);
    EXPECT_LT(ch_monotonic_ns() - start, 30 * second_ns);
}

TEST(LoaderGate, MakesAForkWaitForWhoIsInside) {
    ch_loader_gate* gate = loader::loader_gate_of_this_process();
    std::atomic<bool> inside{false};
    std::atomic<bool> left{false};
    std::atomic<bool> forked{false};
    std::thread loader([&] {
        ch_loader_gate_enter(gate);
        inside = true;
        while (forks_of(gate) == 0) std::this_thread::yield();
        left = true;
        ch_loader_gate_leave(gate);
        // ThreadSanitizer would find, in the child, a thread that ended and was not joined.
        while (!forked) std::this_thread::yield();
    });
    while (!inside) std::this_thread::yield();
    const pid_t child = fork();
    if (child == 0) _exit(left && gate->loading == 0 && gate->forking == 0 ? 0 : 1);
    forked = true;
    EXPECT_EQ(exit_code_of(child), 0);
    loader.join();
    EXPECT_EQ(forks_of(gate), 0u);
}

// A thread inside cannot leave before the fork; nothing hangs, neither here nor in the child.
TEST(LoaderGate, DoesNotKeepWhoForksFromInside) {
    ch_loader_gate* gate = loader::loader_gate_of_this_process();
    ch_loader_gate_enter(gate);
    const uint64_t start = ch_monotonic_ns();
    const pid_t child = fork();
    if (child == 0) {
        ch_loader_gate_leave(gate);
        const loader::LoaderPass pass(gate);
        _exit(gate->loading == 1 ? 0 : 1);
    }
    EXPECT_GE(ch_monotonic_ns() - start, loader::fork_wait_ns);
    EXPECT_EQ(exit_code_of(child), 0);
    ch_loader_gate_leave(gate);
    EXPECT_EQ(gate->loading, 0u);
}

// Many threads go in and out while another closes and opens: nobody is inside while it is closed, nobody is forgotten.
TEST(LoaderGate, HoldsUnderLoad) {
    ch_loader_gate gate{};
    std::atomic<int> inside{0};
    std::atomic<bool> over{false};
    std::vector<std::thread> loaders;
    for (int i = 0; i < 3; ++i) {
        loaders.emplace_back([&] {
            while (!over) {
                const loader::LoaderPass pass(&gate);
                ++inside;
                --inside;
            }
        });
    }
    for (int fork = 0; fork < 2000; ++fork) {
        ASSERT_EQ(ch_loader_gate_close(&gate, 60 * second_ns), 1);
        ASSERT_EQ(inside, 0);
        ch_loader_gate_open(&gate);
    }
    over = true;
    for (std::thread& loader : loaders) loader.join();
    EXPECT_EQ(gate.loading, 0u);
}

}  // namespace chiphost::isolate

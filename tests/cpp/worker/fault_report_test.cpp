// SPDX-License-Identifier: Apache-2.0
//
// The report of a fault; its handlers are there only as long as they are wanted. tests/python/worker/test_debugging.py
// tests the faults of real kernels, in all isolations.
#include "worker/fault_report.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "worker/code_place.h"

namespace chiphost::worker {
namespace {

constexpr int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGABRT};

struct sigaction handler_of(int number) {
    struct sigaction action{};
    sigaction(number, nullptr, &action);
    return action;
}

int32_t this_thread() {
    return static_cast<int32_t>(syscall(SYS_gettid));
}

// A run of two kernels.
struct TwoKernels {
    TwoKernels() {
        kernels[0].func_id = 1;
        kernels[0].binary.name = "first";
        kernels[1].func_id = 2;
        kernels[1].binary.name = "add_rows";
        callable.kernels = kernels;
        callable.kernel_count = 2;
        callable.orchestration.name = "graph.cpp";
        callable.entry = "build_graph";
        for (auto& lane : progress.lanes) lane.task = -1;
        progress.phase = CH_PHASE_DEVICE;
    }
    ch_kernel kernels[2] = {};
    ch_callable callable{};
    ch_run_progress progress{};
};

std::string text_of(TextLine& line) {
    int ends[2];
    if (pipe(ends) != 0) return "no pipe";
    line.write(ends[1]);
    close(ends[1]);
    char text[1024];
    const ssize_t bytes = read(ends[0], text, sizeof text);
    close(ends[0]);
    return std::string(text, bytes > 0 ? static_cast<size_t>(bytes) : 0);
}

TEST(TextLine, WritesNumbersAndOneEnd) {
    TextLine line;
    line.add("a ").add_number(-17).add(" ").add_number(0).add(" ").add_hex(0xBEEF).add(nullptr);
    EXPECT_EQ(text_of(line), "a -17 0 0xbeef\n");
}

TEST(TextLine, TakesTheSmallestNumber) {
    TextLine line;
    line.add_number(INT64_MIN);
    EXPECT_EQ(text_of(line), "-9223372036854775808\n");
}

TEST(TextLine, LeavesOutWhatDoesNotFit) {
    TextLine line;
    for (int i = 0; i < 100; ++i) line.add("0123456789");
    const std::string text = text_of(line);
    EXPECT_LT(text.size(), 1000u);
    EXPECT_EQ(text.back(), '\n');
    EXPECT_EQ(text.substr(0, 12), "012345678901");
}

TEST(CodePlace, NamesFunctionAndLibrary) {
    TextLine line;
    describe_code(reinterpret_cast<char*>(dlsym(RTLD_DEFAULT, "qsort")) + 1, &line);
    EXPECT_NE(text_of(line).find("+0x1 (lib"), std::string::npos);
}

// The place is in the kernel's own library, which the loader finds like any other and does not relocate.
TEST(CodePlace, NamesFunctionsOfTheKernel) {
    const uint64_t library = getauxval(AT_SYSINFO_EHDR);
    if (library == 0) GTEST_SKIP() << "the kernel has no vDSO here";
    TextLine line;
    describe_code(reinterpret_cast<void*>(library + reinterpret_cast<const ElfW(Ehdr)*>(library)->e_entry), &line);
    EXPECT_NE(text_of(line).find("[vdso]+0x"), std::string::npos);
    void* const clock = dlsym(dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD), "__vdso_clock_gettime");
    if (!clock) return;  // other processors have other names
    TextLine named;
    describe_code(static_cast<char*>(clock) + 1, &named);
    EXPECT_NE(text_of(named).find("clock_gettime+0x1 ("), std::string::npos);
}

TEST(CodePlace, SaysThatThereIsNoCode) {
    TextLine line;
    describe_code(reinterpret_cast<void*>(16), &line);
    EXPECT_EQ(text_of(line), "0x10 (no library)\n");
}

TEST(FaultReportDeathTest, NamesTheKernel) {
    TwoKernels run;
    run.progress.lanes[0].task = 17;
    run.progress.lanes[0].core = 24;
    run.progress.lanes[0].func_id = 2;
    run.progress.lanes[0].submission = 4;
    EXPECT_DEATH(
        {
            FaultHandlers handlers;
            WatchedRun watched;
            watched.begin(run.callable, run.progress, this_thread());
            raise(SIGSEGV);
        },
        "chiphost: SIGSEGV in kernel `add_rows` of submit #4 on core 24");
}

TEST(FaultReportDeathTest, NamesTheKernelOfAHelper) {
    TwoKernels run;
    run.progress.lanes[0].task = 1;
    run.progress.lanes[3].task = 2;
    run.progress.lanes[3].core = 5;
    run.progress.lanes[3].func_id = 1;
    run.progress.lanes[3].submission = 3;
    EXPECT_DEATH(
        {
            FaultHandlers handlers;
            WatchedRun watched;
            run.progress.lanes[3].thread = this_thread();
            watched.begin(run.callable, run.progress, -1);
            raise(SIGABRT);
        },
        "chiphost: SIGABRT in kernel `first` of submit #3 on core 5");
}

TEST(FaultReportDeathTest, NamesTheOrchestration) {
    TwoKernels run;
    run.progress.orchestrating = 1;
    EXPECT_DEATH(
        {
            FaultHandlers handlers;
            WatchedRun watched;
            watched.begin(run.callable, run.progress, this_thread());
            raise(SIGFPE);
        },
        "chiphost: SIGFPE in the orchestration graph.cpp .build_graph.");
}

// The child ends by the signal, and reports no run that is over, and none of another thread.
TEST(FaultReport, KeepsQuietAboutOtherThreads) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        for (int number : faults) signal(number, SIG_DFL);  // not a sanitizer's
        TwoKernels run;
        FaultHandlers handlers;
        WatchedRun over, others;
        over.begin(run.callable, run.progress, this_thread());
        over.end();
        others.begin(run.callable, run.progress, this_thread() + 1);
        raise(SIGILL);
        _exit(1);
    }
    close(ends[1]);
    char text[256];
    EXPECT_EQ(read(ends[0], text, sizeof text), 0);
    close(ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGILL) << status;
}

TEST(FaultHandlers, AreThereAsLongAsTheyAreWanted) {
    const auto before = handler_of(SIGSEGV).sa_sigaction;
    {
        const FaultHandlers first;
        const auto ours = handler_of(SIGSEGV).sa_sigaction;
        EXPECT_NE(ours, before);
        {
            const FaultHandlers second;
            EXPECT_EQ(handler_of(SIGSEGV).sa_sigaction, ours);
        }
        for (int number : faults) EXPECT_EQ(handler_of(number).sa_sigaction, ours) << number;
    }
    EXPECT_EQ(handler_of(SIGSEGV).sa_sigaction, before);
}

TEST(FaultHandlers, LeaveOneAloneThatCameLater) {
    const auto before = handler_of(SIGFPE);
    const auto mine = [](int) {};
    struct sigaction previous{};
    {
        const FaultHandlers handlers;
        struct sigaction action{};
        action.sa_handler = mine;
        sigaction(SIGFPE, &action, &previous);
    }
    EXPECT_EQ(handler_of(SIGFPE).sa_handler, static_cast<void (*)(int)>(mine));
    {
        const FaultHandlers again;  // is in the chain already
        EXPECT_EQ(handler_of(SIGFPE).sa_handler, static_cast<void (*)(int)>(mine));
        sigaction(SIGFPE, &previous, nullptr);
    }
    EXPECT_EQ(handler_of(SIGFPE).sa_sigaction, before.sa_sigaction);
}

}  // namespace
}  // namespace chiphost::worker

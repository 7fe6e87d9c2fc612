// SPDX-License-Identifier: Apache-2.0
//
// Library handles whose library is in a child process: its end is an error, and values cross the border.
// library_test.cpp tests what all strategies have in common.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "chiphost/isolate/library.h"
#include "isolate/domain/namespace_budget.h"
#include "temp_folder.h"
#include "test_files.h"
#include "thrown_error.h"

namespace chiphost::isolate {

using tests::error_of;
using tests::library_path;
using namespace std::chrono_literals;

namespace {

Library open(const std::string& name, Timeout timeout = no_timeout) {
    Options options;
    options.strategy = Strategy::process;
    options.timeout = timeout;
    return Library::open(library_path(name), options);
}

class LibraryProcesses : public testing::Test {
protected:
    ~LibraryProcesses() override {
        library.close();
        EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << "a child's temporary files";
        EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
    }

    // Checks that the call has ended the child in the way it names, that the instance knows, and that others do not
    // notice.
    template <typename Body>
    void expect_death(const std::string& function, const std::string& how, Body&& body) {
        Library other = open("signatures");
        const int id = library.process_id();
        const auto [code, text] = error_of(body);
        EXPECT_EQ(code, CH_PROCESS_DIED) << text;
        const std::string begin = "PROCESS_DIED: " + function + ": process " + std::to_string(id) + " ";
        EXPECT_EQ(text.find(begin + how), 0u) << text;
        EXPECT_TRUE(library.poisoned());
        EXPECT_EQ(library.process_id(), -1);
        const auto [later, why] = error_of([&] { library.find("next_call"); });
        EXPECT_EQ(later, CH_POISONED);
        EXPECT_NE(why.find("the library's globals are gone with it"), std::string::npos) << why;
        EXPECT_EQ(library.close().text(), "unloaded");
        EXPECT_EQ(other.function<int32_t()>("next_call")(), 1);
    }

    const tests::TempFolder folder;
    Library library = open("signatures");
};

}  // namespace

TEST_F(LibraryProcesses, AreNotThisProcess) {
    EXPECT_EQ(library.function<int32_t()>("process_number")(), library.process_id());
    EXPECT_NE(library.process_id(), getpid());
    EXPECT_EQ(library.strategy_reason(), "asked for");
    EXPECT_EQ(NamespaceBudget::of_this_process().numbers().opened, 0u);
    EXPECT_EQ(tests::mappings_of("signatures"), 0u);
}

#if !CHIPHOST_SANITIZED  // a sanitizer catches the signal, writes a report and exits
TEST_F(LibraryProcesses, ThatCrashAreErrors) {
    expect_death("crash", "was killed by SIGSEGV while it was running; its last words on stderr:\nabout to crash",
                 [&] { library.function<void()>("crash")(); });
}
#else
TEST_F(LibraryProcesses, ThatCrashAreErrors) {
    expect_death("crash", "exited with code ", [&] { library.function<void()>("crash")(); });
}
#endif

TEST_F(LibraryProcesses, ThatAbortAreErrors) {
    expect_death("give_up", CHIPHOST_SANITIZED ? "" : "was killed by SIGABRT while it was running; its last words",
                 [&] { library.function<void()>("give_up")(); });
}

TEST_F(LibraryProcesses, ThatExitAreErrors) {
    expect_death("leave", "exited with code 7 while it was running",
                 [&] { library.function<void(int32_t)>("leave")(7); });
}

TEST_F(LibraryProcesses, ThatExitWithoutErrorAreErrorsToo) {
    expect_death("leave", "exited with code 0 while it was running",
                 [&] { library.function<void(int32_t)>("leave")(0); });
}

TEST_F(LibraryProcesses, ThatAreKilledInACallAreErrors) {
    expect_death("be_killed", "was killed by SIGKILL while it was running",
                 [&] { library.function<void()>("be_killed")(); });
}

TEST_F(LibraryProcesses, ThatAreKilledBetweenCallsAreErrorsOfTheNext) {
    auto next = library.function<int32_t()>("next_call");
    EXPECT_EQ(next(), 1);
    kill(library.process_id(), SIGKILL);
    siginfo_t status{};  // it is gone for sure, and still to be reaped
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(library.process_id()), &status, WEXITED | WNOWAIT), 0);
    expect_death("next_call", "was killed by SIGKILL while no call was under way", [&] { next(); });
}

TEST_F(LibraryProcesses, ThatAreKilledBeforeTheyAreClosedAreErrors) {
    kill(library.process_id(), SIGKILL);
    siginfo_t status{};
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(library.process_id()), &status, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(error_of([&] { library.close(); }).first, CH_PROCESS_DIED);
    EXPECT_EQ(library.close().text(), "unloaded");
}

TEST_F(LibraryProcesses, ThatHangAreKilled) {
    const int id = library.process_id();
    EXPECT_EQ(error_of([&] { library.function<void()>("never_return").within(50ms)(); }).first, CH_DEADLINE_EXCEEDED);
    EXPECT_EQ(kill(id, 0), -1) << "it lives on";
    EXPECT_EQ(error_of([&] { library.find("next_call"); }).first, CH_POISONED);
}

TEST_F(LibraryProcesses, WhoseConstructorsFailAreErrors) {
    const auto [code, text] = error_of([] { open("crashes_when_loaded"); });
    EXPECT_EQ(code, CH_PROCESS_DIED);
    EXPECT_NE(text.find(" while its constructors ran"), std::string::npos) << text;
    EXPECT_EQ(error_of([] { open("hangs_when_loaded", 100ms); }).first, CH_DEADLINE_EXCEEDED);
    EXPECT_EQ(error_of([] { open("needs_missing"); }).first, CH_LOAD_REFUSED);
    const auto [refused, why] = error_of([] { open("throws_when_loaded"); });
    EXPECT_EQ(refused, CH_LOAD_REFUSED);
    EXPECT_NE(why.find("a constructor of a static variable threw: no licence"), std::string::npos) << why;
}

TEST_F(LibraryProcesses, ArePutWhereCopiesWouldNotBeApart) {
    Library first = open("unique_symbols"), second = open("unique_symbols");
    const auto count = [](Library& of) {
        return of.function<int32_t(void*, void*, void*)>("count_call")(nullptr, nullptr, nullptr);
    };
    EXPECT_EQ(count(first), 1);
    EXPECT_EQ(count(first), 2);
    EXPECT_EQ(count(second), 1);
    EXPECT_EQ(first.close().text(), "unloaded");
}

TEST_F(LibraryProcesses, EndWithTheThreadsThatTheyHave) {
    ASSERT_EQ(library.function<int32_t(int32_t)>("start_thread")(1), 0);
    EXPECT_EQ(library.close().text(), "unloaded");
}

TEST_F(LibraryProcesses, SeeOverlappingArgumentsAsOne) {
    std::vector<int32_t> values{1, 0, 0, 0};
    library.function<void(In<int32_t>, InOut<int32_t>, size_t)>("shift")({values.data(), 3}, {values.data() + 1, 3}, 3);
    EXPECT_EQ(values, (std::vector<int32_t>{1, 2, 3, 4}));
}

TEST_F(LibraryProcesses, LeaveAloneWhatTheyDoNotWrite) {
    std::vector<int32_t> values{1, 2, 3};
    library.function<void(Out<int32_t>, size_t, int32_t)>("fill")(values, 2, 9);
    EXPECT_EQ(values, (std::vector<int32_t>{9, 9, 3}));
    int32_t written = 0;
    EXPECT_EQ(error_of([&] { library.function<void(Out<int32_t>)>("write_then_throw")({&written, 1}); }).second,
              "FUNCTION_THREW: write_then_throw: an exception came out: after writing");
    EXPECT_EQ(written, 5);
}

TEST_F(LibraryProcesses, ToldNullFromEmpty) {
    auto is_null = library.function<bool(In<double>)>("is_null");
    const double value = 0;
    EXPECT_TRUE(is_null({nullptr, 0}));
    EXPECT_FALSE(is_null({&value, 0}));
    EXPECT_FALSE(is_null({&value, 1}));
}

TEST_F(LibraryProcesses, TakeAndReturnWhatIsLargerThanTheArena) {
    auto repeat = library.function<std::string(const char*, uint64_t)>("repeat");
    EXPECT_EQ(repeat("", 9), "");
    EXPECT_EQ(repeat("abc", 3'000'000).size(), 9'000'000u);
    const std::string text(5'000'000, 'x');
    EXPECT_EQ(repeat(text.c_str(), 2), text + text);
    std::vector<double> values(4'000'000, 0.5);
    EXPECT_EQ(library.function<double(In<double>, size_t)>("sum")(values, values.size()), 2'000'000);
}

TEST_F(LibraryProcesses, RefuseAnAddressOfTheCallers) {
    auto is_null = library.function<bool(void*)>("is_null");
    EXPECT_TRUE(is_null(nullptr));
    EXPECT_FALSE(is_null(reinterpret_cast<void*>(1))) << "a handle that is no address";
    EXPECT_FALSE(is_null(library.function<void*()>("address_of_calls")()));
    // At least one of these addresses is not used in the child.
    std::vector<std::vector<char>> memory(8, std::vector<char>(32 << 20));
    size_t refused = 0;
    for (auto& one : memory)
        refused += error_of([&] { is_null(one.data() + (16 << 20)); }).first == CH_INVALID_ARGUMENT;
    EXPECT_GT(refused, 0u);
    EXPECT_FALSE(library.poisoned());
}

TEST_F(LibraryProcesses, AreApartFiftyTimes) {
    std::vector<Library> libraries;
    for (int i = 0; i < 50; ++i) libraries.push_back(open("signatures"));
    for (int i = 0; i < 50; ++i) libraries[i].function<void(int32_t)>("set_calls")(100 * i);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(libraries[i].function<int32_t()>("next_call")(), 100 * i + 1);
    for (Library& one : libraries) EXPECT_EQ(one.close().text(), "unloaded");
}

TEST_F(LibraryProcesses, NeedTheirProgram) {
    EXPECT_EQ(default_child_path(), CHIPHOST_CHILD);
    Options options;
    options.strategy = Strategy::process;
    options.child_path = "/nowhere/chiphost_child";
    const auto [code, text] = error_of([&] { Library::open(library_path("signatures"), options); });
    EXPECT_EQ(code, CH_PROCESS_NOT_STARTED);
    EXPECT_NE(text.find("/nowhere/chiphost_child"), std::string::npos) << text;
}

#if !CHIPHOST_SANITIZED

TEST_F(LibraryProcesses, AreTakenWhenNamespacesAreSpentAndCopiesNotApart) {
    Options options;
    options.fall_back_if_spent = true;
    std::vector<Library> libraries;
    do libraries.push_back(Library::open(library_path("unique_symbols"), options));
    while (!libraries.back().fell_back());
    EXPECT_EQ(libraries.back().strategy(), Strategy::process);
    EXPECT_NE(libraries.back().strategy_reason().find("no other linker namespace, and all copies would share a symbol"),
              std::string::npos)
        << libraries.back().strategy_reason();
    EXPECT_GT(libraries.size(), 5u);
}

TEST_F(LibraryProcesses, AreTakenWhenStaticTlsIsUsedUp) {
    Options options;
    options.fall_back_if_spent = true;
    std::vector<Library> libraries;
    do libraries.push_back(Library::open(library_path("fake_static_tls"), options));
    while (libraries.back().strategy() != Strategy::process && libraries.size() < 40);
    EXPECT_EQ(libraries.back().strategy(), Strategy::process);
    EXPECT_NE(libraries.back().strategy_reason().find("no static TLS is left here for it"), std::string::npos)
        << libraries.back().strategy_reason();
    for (const Strategy strategy : {Strategy::link_namespace, Strategy::copy}) {
        options.fall_back_if_spent = false;
        options.strategy = strategy;
        EXPECT_EQ(error_of([&] { Library::open(library_path("fake_static_tls"), options); }).first,
                  CH_STATIC_TLS_SPENT);
    }
}

#endif

}  // namespace chiphost::isolate

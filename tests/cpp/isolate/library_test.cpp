// SPDX-License-Identifier: Apache-2.0
//
// Library handles: every class of arguments, failures, instances, and results of close(). Every test runs in a process
// of its own.
#include "chiphost/isolate/library.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "forked_child.h"
#include "isolate/domain/domain.h"
#include "isolate/domain/namespace_budget.h"
#include "isolate/domain/namespace_pool.h"
#include "test_files.h"
#include "thrown_error.h"

namespace chiphost::isolate {

using tests::code_of;
using tests::error_of;
using tests::library_path;
using namespace std::chrono_literals;

namespace {

Library open(const std::string& name, Strategy strategy) {
    Options options;
    options.strategy = strategy;
    return Library::open(library_path(name), options);
}

#if CHIPHOST_SANITIZED  // H10: a library with a sanitizer does not load into a namespace
const auto strategies = testing::Values(Strategy::copy, Strategy::process);
const auto strategies_here = testing::Values(Strategy::copy);
#else
const auto strategies = testing::Values(Strategy::copy, Strategy::link_namespace, Strategy::process);
const auto strategies_here = testing::Values(Strategy::copy, Strategy::link_namespace);
#endif

class LibraryCalls : public testing::TestWithParam<Strategy> {
protected:
    Library library = open("signatures", GetParam());
};

class LibraryHandles : public testing::TestWithParam<Strategy> {};
// Tests of libraries that may leave something in this process.
class LibraryHandlesHere : public testing::TestWithParam<Strategy> {};

std::string name_of(const testing::TestParamInfo<Strategy>& info) {
    return strategy_name(info.param);
}

INSTANTIATE_TEST_SUITE_P(Strategies, LibraryCalls, strategies, name_of);
INSTANTIATE_TEST_SUITE_P(Strategies, LibraryHandles, strategies, name_of);
INSTANTIATE_TEST_SUITE_P(Strategies, LibraryHandlesHere, strategies_here, name_of);

}  // namespace

TEST_P(LibraryCalls, PassIntegersOfEverySize) {
    auto weigh =
        library
            .function<int64_t(int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t, bool, int8_t)>(
                "weigh_integers");
    EXPECT_EQ(weigh(-1, 255, -300, 65535, INT32_MIN, UINT32_MAX, -5, 11, true, -128),
              -1 + 2 * 255 + 3 * -300 + 4 * 65535 + 5 * int64_t{INT32_MIN} + 6 * int64_t{UINT32_MAX} + 7 * -5 + 8 * 11 +
                  9 + 10 * -128);
}

TEST_P(LibraryCalls, PassMoreDoublesThanRegisters) {
    auto weigh =
        library.function<double(double, double, double, double, double, double, double, double, double, double)>(
            "weigh_doubles");
    EXPECT_EQ(weigh(1, 2, 3, 4, 5, 6, 7, 8, 9, 10.5), 1 + 4 + 9 + 16 + 25 + 36 + 49 + 64 + 81 + 105);
}

TEST_P(LibraryCalls, PassBothKindsOnTheStackInOrder) {
    auto weigh =
        library.function<double(int32_t, double, float, int64_t, int32_t, int32_t, int32_t, float, float, float, float,
                                float, float, int8_t, float, int32_t, double, int16_t, uint8_t, float, bool)>(
            "weigh_mixed");
    double expected = 0;
    for (int place = 1; place <= 20; ++place) expected += place * (place % 2 ? place : -place);
    EXPECT_EQ(weigh(1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12, 13, -14, 15, -16, 17, -18, 19, -20, true),
              expected + 21);
}

TEST_P(LibraryCalls, ReturnEveryType) {
    EXPECT_EQ(library.function<int8_t(int64_t)>("low_int8")(0x1234567890ab85), -0x7b);
    EXPECT_EQ(library.function<uint8_t(int64_t)>("low_uint8")(0x1234567890ab85), 0x85);
    EXPECT_EQ(library.function<int16_t(int64_t)>("low_int16")(0x1234567890abcd), static_cast<int16_t>(0xabcd));
    EXPECT_EQ(library.function<int32_t(int64_t)>("low_int32")(0x12345678f0abcdef), static_cast<int32_t>(0xf0abcdef));
    EXPECT_TRUE(library.function<bool(int64_t)>("is_odd")(0x101));
    EXPECT_FALSE(library.function<bool(int64_t)>("is_odd")(0x100));
    EXPECT_EQ(library.function<float(float)>("half")(-3.0f), -1.5f);
    EXPECT_EQ(library.function<std::string(int32_t)>("greeting")(1), "hello from the library");
    EXPECT_EQ(library.function<std::string(int32_t)>("greeting")(0), "");
    if (GetParam() != Strategy::process) {
        EXPECT_STREQ(library.function<const char*(int32_t)>("greeting")(1), "hello from the library");
        EXPECT_EQ(library.function<const char*(int32_t)>("greeting")(0), nullptr);
    } else {
        EXPECT_EQ(error_of([&] { library.function<const char*(int32_t)>("greeting"); }).second,
                  "SIGNATURE_UNSUPPORTED: greeting: its result is an address in another process; take std::string as "
                  "the result instead of const char*");
    }
    library.function<void(int32_t)>("set_calls")(41);
    void* handle = library.function<void*()>("address_of_calls")();
    EXPECT_EQ(library.function<int32_t(void*)>("read_int")(handle), 41);
}

TEST_P(LibraryCalls, TellASmallResultByItsOwnBits) {
    const Symbol low = library.find("low_int32");  // declared smaller than it is: the bits above must not matter
    const Argument word = Argument::integer(0x1234567890ab85);
    const auto result = [&](Type type) { return library.call(low, {type, {{Type::int64}}}, &word).as_integer(); };
    EXPECT_EQ(result(Type::int8), -0x7b);
    EXPECT_EQ(result(Type::uint8), 0x85);
    EXPECT_EQ(result(Type::int16), static_cast<int16_t>(0xab85));
    EXPECT_EQ(result(Type::uint16), 0xab85);
    EXPECT_EQ(result(Type::uint32), 0x7890ab85u);
    EXPECT_EQ(result(Type::none), 0);
}

TEST_P(LibraryCalls, PassBuffersAndTexts) {
    const std::vector<double> values{1.5, 2.5, -1};
    EXPECT_EQ(library.function<double(In<double>, size_t)>("sum")(values, values.size()), 3.0);
    float scaled[] = {1, 2, 3};
    library.function<void(InOut<float>, size_t, float)>("scale")(scaled, 3, -2.0f);
    EXPECT_EQ(scaled[2], -6.0f);
    std::array<int32_t, 4> filled{};
    library.function<void(Out<int32_t>, size_t, int32_t)>("fill")(filled, filled.size(), 9);
    EXPECT_EQ(filled[3], 9);
    EXPECT_EQ(library.function<uint64_t(const char*)>("text_length")("five!"), 5u);
    EXPECT_EQ(library.function<uint64_t(const char*)>("text_length")(nullptr), UINT64_MAX);
}

TEST_P(LibraryCalls, RunOnOneThreadOfTheLibrary) {
    auto thread = library.function<int32_t()>("thread_number");
    const int32_t number = thread();
    EXPECT_NE(number, static_cast<int32_t>(syscall(SYS_gettid)));
    std::thread([&] { EXPECT_EQ(thread(), number); }).join();
}

TEST_P(LibraryCalls, MakeErrorsOfExceptions) {
    EXPECT_EQ(error_of([&] { library.function<void()>("throw_text")(); }),
              std::pair(CH_FUNCTION_THREW,
                        std::string("FUNCTION_THREW: throw_text: an exception came out: the tank is empty")));
    EXPECT_EQ(error_of([&] { library.function<void()>("throw_number")(); }).second,
              "FUNCTION_THREW: throw_number: an exception came out: not a std::exception");
    EXPECT_EQ(library.function<int32_t()>("next_call")(), 1);
}

TEST_P(LibraryCalls, AreRefusedWhereTheyCannotBeMade) {
    const Symbol symbol = library.find("next_call");
    const std::vector<Argument> arguments(200);
    const auto refused = [&](const Signature& signature) {
        return error_of([&] { static_cast<void>(library.call(symbol, signature, arguments.data())); });
    };
    EXPECT_EQ(refused({Type::int32, std::vector<Parameter>(200, {Type::int32})}).first, CH_SIGNATURE_UNSUPPORTED);
    EXPECT_EQ(refused({Type::int32, {{Type::none}}}).second,
              "SIGNATURE_UNSUPPORTED: next_call: argument 1 cannot be void");
    EXPECT_EQ(refused({Type::buffer, {}}).first, CH_SIGNATURE_UNSUPPORTED);
    EXPECT_EQ(error_of([&] { static_cast<void>(library.find("no_such_function")); }).second,
              "ENTRY_MISSING: " + library_path("signatures") + ": wanted the function no_such_function");
}

TEST_P(LibraryCalls, ThatNeverReturnPoisonTheirInstanceOnly) {
    Library other = open("signatures", GetParam());
    auto hang = library.function<void()>("never_return").within(50ms);
    auto [code, text] = error_of([&] { hang(); });
    EXPECT_EQ(code, CH_DEADLINE_EXCEEDED);
    EXPECT_EQ(text.find("DEADLINE_EXCEEDED: never_return: it did not return within 0.05 s; "), 0u) << text;
    EXPECT_NE(text.find(library_path("signatures")), std::string::npos) << text;
    EXPECT_TRUE(library.poisoned());
    EXPECT_EQ(code_of([&] { hang(); }), CH_POISONED);
    EXPECT_EQ(other.function<int32_t()>("next_call")(), 1);
    const CloseResult result = library.close();
    EXPECT_FALSE(result.namespace_recycled);
    if (GetParam() == Strategy::process) {
        EXPECT_EQ(result.text(), "unloaded");
    } else {
        EXPECT_EQ(result.text(), "kept: " + library_path("signatures") + " (call that never returned never_return)");
    }
    EXPECT_EQ(other.close().state, CloseState::unloaded);
}

TEST_P(LibraryCalls, OfOtherThreadsAreWaitedFor) {
    auto hang = library.function<void()>("never_return");
    // Either of them may come first. That one hangs; the other waits for it, and then sees the end of its own deadline
    // or a poisoned library, whatever happens first.
    ch_code codes[2] = {};
    std::thread first([&] { codes[0] = code_of([&] { hang.within(300ms)(); }); });
    std::thread second([&] { codes[1] = code_of([&] { hang.within(100ms)(); }); });
    first.join();
    second.join();
    for (const ch_code code : codes) EXPECT_TRUE(code == CH_DEADLINE_EXCEEDED || code == CH_POISONED) << code;
    EXPECT_TRUE(codes[0] == CH_DEADLINE_EXCEEDED || codes[1] == CH_DEADLINE_EXCEEDED);
    EXPECT_TRUE(library.poisoned());
}

TEST_P(LibraryCalls, FromManyThreadsAreMadeOneAfterTheOther) {
    auto next = library.function<int32_t()>("next_call");
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int call = 0; call < 250; ++call) next();
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(next(), 1001);
}

TEST_P(LibraryCalls, AreRefusedInAForkedChild) {
    auto next = library.function<int32_t()>("next_call");
    EXPECT_EQ(next(), 1);
    EXPECT_TRUE(tests::holds_in_a_fork(60, [&] {
        const bool refused = code_of([&] { next(); }) == CH_WRONG_PROCESS;
        Library own = open("signatures", GetParam());
        return refused && own.function<int32_t()>("next_call")() == 1;
    }));
    EXPECT_EQ(next(), 2);
}

TEST_P(LibraryHandles, HaveGlobalsOfTheirOwn) {
    Library first = open("signatures", GetParam()), second = open("signatures", GetParam());
    EXPECT_EQ(first.function<int32_t()>("next_call")(), 1);
    EXPECT_EQ(first.function<int32_t()>("next_call")(), 2);
    EXPECT_EQ(second.function<int32_t()>("next_call")(), 1);
    EXPECT_EQ(first.strategy(), GetParam());
}

TEST_P(LibraryHandles, CloseOnceAndForGood) {
    Library library = open("signatures", GetParam());
    auto next = library.function<int32_t()>("next_call");
    EXPECT_EQ(next(), 1);
    EXPECT_EQ(library.close().text(), "unloaded");
    EXPECT_EQ(library.close().state, CloseState::unloaded);
    EXPECT_EQ(code_of([&] { next(); }), CH_FINALIZED);
    EXPECT_EQ(code_of([&] { static_cast<void>(library.find("next_call")); }), CH_FINALIZED);
}

TEST_P(LibraryHandles, CloseWithTheLastOwner) {
    {
        auto next = open("signatures", GetParam()).function<int32_t()>("next_call");
        EXPECT_EQ(next(), 1);  // the function keeps the library open
        EXPECT_EQ(tests::mappings_of("signatures") > 0, GetParam() != Strategy::process);
    }
    EXPECT_EQ(tests::mappings_of("signatures"), 0u);
}

TEST_P(LibraryHandlesHere, SayWhichThreadKeepsThem) {
    for (const bool renamed : {false, true}) {
        Library library = open("signatures", GetParam());
        ASSERT_EQ(library.function<int32_t(int32_t)>("start_thread")(renamed), 0);
        const CloseResult result = library.close();
        EXPECT_EQ(result.state, CloseState::kept) << result.text();
        ASSERT_EQ(result.pins.size(), 1u);
        EXPECT_EQ(result.pins[0].cause, PinCause::running_thread);
        EXPECT_NE(result.pins[0].what, "");
    }
}

#if !CHIPHOST_SANITIZED  // a sanitizer makes the threads, and nobody notes whose they are
static bool has_thread_of_name(const std::string& name) {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::string found;
        std::ifstream file(task.path() / "comm");
        std::getline(file, found);
        if (found == name) return true;
    }
    return false;
}

// A thread of another library does not keep it, even if it has taken another name; it blocks the same signals as one of
// this library would.
TEST_P(LibraryHandlesHere, AreNotKeptByAThreadOfAnother) {
    for (const Strategy others : {Strategy::copy, Strategy::link_namespace}) {
        Library library = open("signatures", GetParam());
        Library other = open("signatures", others);
        ASSERT_EQ(other.function<int32_t(int32_t)>("start_thread")(true), 0);
        while (!has_thread_of_name("my_worker")) std::this_thread::yield();
        const CloseResult result = library.close();
        EXPECT_EQ(result.state, CloseState::unloaded) << result.text();
        EXPECT_EQ(other.function<int32_t()>("end_thread")(), 0);
    }
}
#endif

TEST_P(LibraryHandles, AreNotKeptByAThreadThatHasEnded) {
    Library library = open("signatures", GetParam());
    ASSERT_EQ(library.function<int32_t(int32_t)>("start_thread")(1), 0);
    ASSERT_EQ(library.function<int32_t()>("end_thread")(), 0);
    const CloseResult result = library.close();
    EXPECT_EQ(result.state, CloseState::unloaded) << result.text();
}

TEST_P(LibraryHandles, AreNotKeptByThreadsOfTheProgram) {
    Library library = open("signatures", GetParam());
    std::atomic<bool> stop{false};
    std::thread ours([&] {
        while (!stop) usleep(1000);
    });
    EXPECT_EQ(library.close().state, CloseState::unloaded);
    stop = true;
    ours.join();
}

namespace {

void expect_pinned(const CloseResult& result, PinCause cause, const std::string& what_part) {
    EXPECT_EQ(result.state, CloseState::pinned) << result.text();
    EXPECT_FALSE(result.namespace_recycled);
    ASSERT_FALSE(result.pins.empty());
    EXPECT_EQ(result.pins[0].cause, cause) << result.text();
    EXPECT_NE(result.pins[0].what.find(what_part), std::string::npos) << result.text();
}

}  // namespace

TEST_P(LibraryHandlesHere, SayThatAThreadLocalPinsThem) {
    Library library = open("pins_itself", GetParam());
    EXPECT_EQ(library.function<int32_t(void*, void*, void*)>("count_call")(nullptr, nullptr, nullptr), 1);
    expect_pinned(library.close(), PinCause::thread_local_destructor, "");
}

TEST_P(LibraryHandlesHere, SayThatALinkerFlagPinsThem) {
    expect_pinned(open("no_delete", GetParam()).close(), PinCause::no_delete, "");
}

TEST_P(LibraryHandles, AreNotMadeOfWhatIsNoLibrary) {
    EXPECT_EQ(code_of([] { open("no_such_file", GetParam()); }), CH_FILE_UNREADABLE);
    Options options;
    options.strategy = GetParam();
    EXPECT_EQ(code_of([&] { static_cast<void>(Library::open(CHIPHOST_LIB "/../CMakeCache.txt", options)); }),
              CH_NOT_ELF);
    EXPECT_EQ(NamespaceBudget::of_this_process().numbers().opened, 0u);
}

TEST(LibraryCopies, AreApartFiftyTimes) {
    std::vector<Library> libraries;
    for (int i = 0; i < 50; ++i) libraries.push_back(open("signatures", Strategy::copy));
    for (int i = 0; i < 50; ++i) libraries[i].function<void(int32_t)>("set_calls")(100 * i);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(libraries[i].function<int32_t()>("next_call")(), 100 * i + 1);
    for (Library& library : libraries) EXPECT_EQ(library.close().state, CloseState::unloaded);
    EXPECT_EQ(tests::mappings_of("signatures"), 0u);
}

TEST(LibraryCopies, WithAUniqueSymbolAreRefused) {
    EXPECT_EQ(code_of([] { open("unique_symbols", Strategy::copy); }), CH_UNIQUE_SYMBOL);
}

TEST(LibraryAnchor, IsFoundWithoutBeingTold) {
    EXPECT_EQ(default_anchor_path(), CHIPHOST_ANCHOR);
    EXPECT_EQ(Options{}.anchor_path, CHIPHOST_ANCHOR);
}

#if !CHIPHOST_SANITIZED

TEST(LibraryNamespaces, AreRecycledWhenNothingIsLeft) {
    for (int cycle = 0; cycle < 100; ++cycle) {
        Library library = open("signatures", Strategy::link_namespace);
        ASSERT_EQ(library.function<int32_t()>("next_call")(), 1) << "cycle " << cycle;
        const CloseResult result = library.close();
        ASSERT_TRUE(result.namespace_recycled) << result.text();
    }
    EXPECT_EQ(NamespaceBudget::of_this_process().numbers().opened, 1u);
    EXPECT_EQ(NamespacePool::of_this_process().spare(), 1u);
}

TEST(LibraryNamespaces, StaySpentWhenTheLibraryIsPinned) {
    Library library = open("unique_symbols", Strategy::link_namespace);
    expect_pinned(library.close(), PinCause::unique_symbol, "Once");
    EXPECT_EQ(NamespacePool::of_this_process().spare(), 0u);
    Library next = open("signatures", Strategy::link_namespace);
    EXPECT_EQ(NamespaceBudget::of_this_process().numbers().opened, 2u);
}

TEST(LibraryNamespaces, SayWhatNeedsTheLibrary) {
    Library library = open("opens_plugin", Strategy::link_namespace);
    EXPECT_EQ(library.function<int32_t(const char*)>("open_plugin")(library_path("plugin").c_str()), 3);
    const CloseResult result = library.close();
    expect_pinned(result, PinCause::needed_by, library_path("plugin"));
    ASSERT_EQ(result.pins.size(), 2u) << result.text();
    EXPECT_EQ(result.pins[1].cause, PinCause::opened_elsewhere) << result.text();
    EXPECT_EQ(result.pins[1].object, library_path("plugin"));
}

TEST(LibraryNamespaces, AreNotLostToAFileThatDoesNotLoad) {
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(code_of([] { open("needs_missing", Strategy::link_namespace); }), CH_LOAD_REFUSED);
    }
    EXPECT_EQ(NamespaceBudget::of_this_process().numbers().opened, 1u);
}

TEST(LibraryNamespaces, GiveWayToCopiesWhenSpent) {
    Options options;
    options.fall_back_if_spent = true;
    std::vector<Library> libraries;
    do libraries.push_back(Library::open(library_path("signatures"), options));
    while (!libraries.back().fell_back());
    EXPECT_EQ(libraries.back().strategy(), Strategy::copy);
    EXPECT_EQ(libraries.size(), NamespaceBudget::of_this_process().numbers().limit + 1);
    for (Library& library : libraries) EXPECT_EQ(library.function<int32_t()>("next_call")(), 1);
    options.fall_back_if_spent = false;
    EXPECT_EQ(code_of([&] { static_cast<void>(Library::open(library_path("signatures"), options)); }),
              CH_NAMESPACES_SPENT);
}

#endif

}  // namespace chiphost::isolate

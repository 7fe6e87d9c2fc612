// SPDX-License-Identifier: Apache-2.0
//
// dlsym(RTLD_DEFAULT, ...) in isolated libraries finds what the loader itself would find, and a lookup that finds
// nothing does no harm. Every test runs in a process of its own.
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "chiphost/isolate/library.h"
#include "guest.h"
#include "isolate/domain/namespace_pool.h"
#include "raw_outcome.h"
#include "test_files.h"

namespace chiphost::isolate {

using tests::library_path;
using tests::raw_outcome;

namespace {

Options options_of(Strategy strategy, bool default_lookup) {
    Options options;
    options.strategy = strategy;
    options.default_lookup = default_lookup;
    return options;
}

Library open(Strategy strategy, bool default_lookup) {
    Library library = Library::open(library_path("looks_up"), options_of(strategy, default_lookup));
    EXPECT_EQ(library.function<int32_t(const char*)>("open_plugin")(library_path("looks_up_plugin").c_str()), 0);
    return library;
}

const std::vector<const char*> symbols{"malloc",        "_ZNSt9exceptionD1Ev", "library_symbol",
                                       "plugin_symbol", "below_symbol",        "no_such_symbol"};

// A table of lookups: a line for each asker and kind of lookup, a digit for each symbol, as looks_up.cpp says.
template <typename LookUp>
std::string table(LookUp&& look_up) {
    std::string text;
    for (const char* asker : {"library", "plugin", "below"}) {
        for (const char* kind : {"any", "version", "no version", "next"}) {
            text += std::string(asker) + ", " + kind + ":";
            for (const char* symbol : symbols) text += " " + std::to_string(look_up(asker, kind, symbol));
            text += "\n";
        }
    }
    return text;
}

std::string table_of(const Library& library) {
    const auto look_up = library.function<int32_t(const char*, const char*, const char*)>("looks_up");
    return table(look_up);
}

// The table for a library that the loader was asked for directly. Runs in a child: afterwards the loader may be of no
// use.
std::string raw_table(Lmid_t list, int flags) {
    return raw_outcome([=]() -> std::string {
        void* library = dlmopen(list, library_path("looks_up").c_str(), flags);
        if (!library) tests::give_up_in_child();
        const auto open = reinterpret_cast<int32_t (*)(const char*)>(dlsym(library, "open_plugin"));
        if (open(library_path("looks_up_plugin").c_str()) != 0) tests::give_up_in_child();
        return table(reinterpret_cast<int32_t (*)(const char*, const char*, const char*)>(dlsym(library, "looks_up")));
    });
}

class DefaultLookups : public testing::TestWithParam<Strategy> {};

std::string name_of(const testing::TestParamInfo<Strategy>& info) {
    return strategy_name(info.param);
}

#if CHIPHOST_SANITIZED  // H10
const auto strategies = testing::Values(Strategy::process);
#else
const auto strategies = testing::Values(Strategy::link_namespace, Strategy::process);
#endif
INSTANTIATE_TEST_SUITE_P(Strategies, DefaultLookups, strategies, name_of);

}  // namespace

// The loader's own answers are the measure. "no_such_symbol" is last in each line, and never found.
TEST_P(DefaultLookups, FindWhatTheyFindInAProgram) {
    const std::string found = table_of(open(GetParam(), false));
    EXPECT_EQ(found, raw_table(LM_ID_BASE, RTLD_NOW | RTLD_LOCAL));
    EXPECT_NE(found.find("library, any: 1 1 1 0 0 0\nlibrary, version: 1 "), std::string::npos) << found;
    EXPECT_NE(found.find("plugin, any: 1 1 0 1 1 0\n"), std::string::npos) << found;
    EXPECT_NE(found.find("below, any: 1 1 0 1 1 0\n"), std::string::npos) << found;
}

TEST_P(DefaultLookups, FindTheLibraryIfTheyAreToAsIfItWereVisibleToAll) {
    const std::string found = table_of(open(GetParam(), true));
    EXPECT_EQ(found, raw_table(LM_ID_BASE, RTLD_NOW | RTLD_GLOBAL));
    EXPECT_NE(found.find("plugin, any: 1 1 1 1 1 0\n"), std::string::npos) << found;
    EXPECT_NE(found.find("below, any: 1 1 1 1 1 0\n"), std::string::npos) << found;
}

TEST_P(DefaultLookups, AreAnsweredOnThreadsThatTheLibraryMakes) {
    const Library library = open(GetParam(), true);
    const auto look_up = library.function<int32_t(const char*, const char*, const char*)>("looks_up_on_a_thread");
    EXPECT_EQ(look_up("plugin", "any", "library_symbol"), 1);
    EXPECT_EQ(look_up("plugin", "any", "no_such_symbol"), 0);
}

TEST_P(DefaultLookups, OfManyLibrariesAtTheSameTimeFindTheirOwn) {
    constexpr int lookups = 200;
    std::vector<Library> libraries;
    for (int i = 0; i < 4; ++i) libraries.push_back(open(GetParam(), i % 2 == 0));
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            const auto look_up = libraries[i].function<int32_t(const char*, const char*, const char*)>("looks_up");
            for (int n = 0; n < lookups; ++n) {
                ASSERT_EQ(look_up("below", "any", "library_symbol"), i % 2 == 0);
                ASSERT_EQ(look_up("below", "any", "plugin_symbol"), 1);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
}

TEST(DefaultLookup, IsRefusedForCopies) {
    try {
        Library::open(library_path("looks_up"), options_of(Strategy::copy, true));
        FAIL() << "it was opened";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), CH_INVALID_ARGUMENT);
        EXPECT_NE(error.message().find("it is in the program's own namespace"), std::string::npos) << error.what();
    }
}

#if !CHIPHOST_SANITIZED

// H15: with the C library's own dlsym, the close after it waits for ever.
TEST(DefaultLookup, ThatFindsNothingLeavesTheLoaderUsable) {
    for (const char* function : {"looks_up", "looks_up_on_a_thread"}) {
        for (const char* kind : {"any", "no version"}) {
            const std::string outcome = raw_outcome([=]() -> std::string {
                constexpr unsigned hangs_after_s = 20;
                alarm(hangs_after_s);
                const Library library = open(Strategy::link_namespace, false);
                const auto look_up = library.function<int32_t(const char*, const char*, const char*)>(function);
                if (look_up("plugin", kind, "library_symbol") != 0) return "found";
                void* plugin = dlopen(library_path("plugin").c_str(), RTLD_NOW | RTLD_LOCAL);
                void* needed = dlopen(library_path("opens_plugin").c_str(), RTLD_NOW | RTLD_LOCAL);
                if (!plugin || !needed) tests::give_up_in_child();
                dlclose(plugin);  // makes the scope of what it needs smaller
                return "closed";
            });
            EXPECT_EQ(outcome, "closed") << function << ", " << kind;
        }
    }
}

// H14: a lookup walks the loader's list, whose lock a forked child would inherit.
TEST(DefaultLookup, DoesNotKeepAForkedChildFromLoading) {
    const std::string outcome = raw_outcome([]() -> std::string {
        constexpr int forks = 300;
        const Library library = open(Strategy::link_namespace, false);
        std::atomic<bool> done{false};
        std::thread looker([&] {
            const auto look_up = library.function<int32_t(const char*, const char*, const char*)>("looks_up_often");
            while (!done) look_up("plugin", "any", "no_such_symbol");
        });
        std::string text = "all loaded";
        for (int i = 0; i < forks && text == "all loaded"; ++i) {
            const pid_t child = fork();
            if (child == 0) {
                constexpr unsigned hangs_after_s = 20;
                alarm(hangs_after_s);
                _exit(dlopen(library_path("counter").c_str(), RTLD_NOW | RTLD_LOCAL) ? 0 : 1);
            }
            int status = 0;
            if (child < 0 || waitpid(child, &status, 0) != child) tests::give_up_in_child();
            if (status != 0) text = "fork " + std::to_string(i) + ": status " + std::to_string(status);
        }
        done = true;
        looker.join();
        return text;
    });
    EXPECT_EQ(outcome, "all loaded");
}

// Otherwise a copy would stand in for the namespace, and cannot do so here.
TEST(DefaultLookup, FallsBackToAProcess) {
    ch_error error = no_error();
    open_all("", &error);
    ASSERT_EQ(error.code, CH_NAMESPACES_SPENT);
    Options options = options_of(Strategy::link_namespace, true);
    options.fall_back_if_spent = true;
    const Library library = Library::open(library_path("looks_up"), options);
    EXPECT_EQ(library.strategy(), Strategy::process);
    EXPECT_TRUE(library.fell_back());
    ASSERT_EQ(library.function<int32_t(const char*)>("open_plugin")(library_path("looks_up_plugin").c_str()), 0);
    EXPECT_EQ((library.function<int32_t(const char*, const char*, const char*)>("looks_up")("plugin", "any",
                                                                                            "library_symbol")),
              1);
}

TEST(DefaultLookup, IsNotForTheNextLibraryOfANamespace) {
    const std::string path = library_path("looks_up");
    for (const bool default_lookup : {true, false}) {
        const Library library = Library::open(path, options_of(Strategy::link_namespace, default_lookup));
        ASSERT_EQ(library.function<int32_t(const char*)>("open_plugin")(library_path("looks_up_plugin").c_str()), 0);
        const auto look_up = library.function<int32_t(const char*, const char*, const char*)>("looks_up");
        EXPECT_EQ(look_up("plugin", "any", "library_symbol"), default_lookup);
        // The plugin stays open, so its namespace is not passed on; this one is.
        const Library other =
            Library::open(library_path("signatures"), options_of(Strategy::link_namespace, default_lookup));
        EXPECT_TRUE(other.close().namespace_recycled);
        const size_t spare = NamespacePool::of_this_process().spare();
        const Library again = Library::open(path, options_of(Strategy::link_namespace, !default_lookup));
        EXPECT_EQ(NamespacePool::of_this_process().spare(), spare - 1);
        EXPECT_TRUE(again.close().namespace_recycled);
        const Library last = Library::open(path, options_of(Strategy::link_namespace, default_lookup));
        ASSERT_EQ(last.function<int32_t(const char*)>("open_plugin")(library_path("looks_up_plugin").c_str()), 0);
        EXPECT_EQ((last.function<int32_t(const char*, const char*, const char*)>("looks_up")("plugin", "any",
                                                                                             "library_symbol")),
                  default_lookup);
    }
}

#endif

}  // namespace chiphost::isolate

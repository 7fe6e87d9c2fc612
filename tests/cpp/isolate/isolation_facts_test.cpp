// SPDX-License-Identifier: Apache-2.0
//
// The hazards of docs/internals/namespaces.md, row by row (those of threads and forks are in thread_facts_test.cpp, H12
// is in without_dlmopen_test.cpp). Each test shows the hazard without chiphost, in a child process that may be lost to
// it, and then that chiphost avoids it. A test whose hazard is gone says so and counts as skipped. Every test runs in a
// process of its own.
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "chiphost/isolate/library.h"
#include "guest.h"
#include "isolate/domain/library_pool.h"
#include "plain_library.h"
#include "raw_outcome.h"

namespace chiphost::isolate {

using namespace tests;

#if !CHIPHOST_SANITIZED

namespace {

Library open(const std::string& name) {
    Options options;
    options.strategy = Strategy::link_namespace;
    return Library::open(library_path(name), options);
}

// Closes a library that was opened with another one that stays: the loader shrinks the other's scope, for which it
// waits until no thread looks up a symbol.
void shrink_a_scope() {
    void* plugin = open_raw("plugin");
    open_raw("opens_plugin");
    dlclose(plugin);
}

}  // namespace

#endif

#if defined(__GNUC__) && !defined(__clang__)

// The hazard that -fno-gnu-unique avoids.
TEST(Facts, H1_UniqueSymbolsKeepALibraryAndItsState) {
    const std::string expected = "second load counts 2, still mapped";
    const auto load_twice = [](Lmid_t list) {
        void* first = open_raw("unique_symbols", list);
        call_here(first, "count_call");
        dlclose(first);
        const int32_t count = call_here(open_raw("unique_symbols", list), "count_call");
        return "second load counts " + std::to_string(count) +
               (mappings_of("unique_symbols") ? ", still mapped" : ", unmapped meanwhile");
    };
    const std::string found = raw_outcome([&] { return load_twice(LM_ID_BASE); });

    // A copy would not be apart, so it is refused; a file that is loaded all the same is reported.
    LibraryPool pool(nullptr);
    const tests::Binary binary("unique_symbols");
    ch_library* library = nullptr;
    ch_open_request request{};
    request.binary = binary.raw();
    request.out_library = &library;
    ch_error error = no_error();
    EXPECT_EQ(pool.open(request, &error), CH_UNIQUE_SYMBOL);
    EXPECT_EQ(text_of(error),
              "UNIQUE_SYMBOL: unique_symbols: the symbol _ZN4OnceIiE5callsE is STB_GNU_UNIQUE, so all copies of the "
              "library would share it; compile with -fno-gnu-unique");
    const std::string path = library_path("unique_symbols");
    request = {};
    request.binary.name = path.c_str();
    request.in_place = 1;
    request.out_library = &library;
    ASSERT_EQ(pool.open(request, &error), CH_OK) << text_of(error);
    EXPECT_FALSE(pool.close(library)) << "close must tell that the library is still there";
    ch_anchor_counts counts{};
    pool.count(&counts);
    EXPECT_EQ(counts.pinned, 1u);

#if !CHIPHOST_SANITIZED
    const std::string inside = raw_outcome([&] { return load_twice(list_of(open_raw("inspector", LM_ID_NEWLM))); });
    const CloseResult closed = open("unique_symbols").close();
    EXPECT_EQ(closed.state, CloseState::pinned);
    EXPECT_FALSE(closed.namespace_recycled) << "the next library would meet the state of this one";
    ASSERT_FALSE(closed.pins.empty());
    EXPECT_EQ(closed.pins[0].cause, PinCause::unique_symbol) << closed.text();
    SKIP_UNLESS_AS_MEASURED("H1, in a namespace", expected, inside);
#endif
    SKIP_UNLESS_AS_MEASURED("H1", expected, found);
}

#endif

#if !CHIPHOST_SANITIZED

TEST(Facts, H6_AnExceptionThatLeavesANamespaceAborts) {
    const std::string found = raw_outcome([]() -> std::string {
        void* library = open_raw("thrower", LM_ID_NEWLM);
        try {
            call_here(library, "throw_out");
        } catch (...) {
            return "caught";
        }
        return "no exception";
    });
    const std::string inside =
        raw_outcome([] { return std::to_string(call_here(open_raw("stateless", LM_ID_NEWLM), "seven")); });
    EXPECT_EQ(inside, "7") << "thrown and caught inside";

    Guest guest(Strategy::link_namespace, "thrower");
    EXPECT_EQ(guest.call("throw_out"), CH_ANCHOR_CALL_THREW);
    EXPECT_EQ(guest.call("throw_out"), CH_ANCHOR_CALL_THREW);
    SKIP_UNLESS_AS_MEASURED("H6", "killed by signal 6", found);
}

TEST(Facts, H7_ANamespaceHasAnEnvironmentErrnoAndHeapOfItsOwn) {
    const std::string found = raw_outcome([]() -> std::string {
        void* library = open_raw("inspector", LM_ID_NEWLM);
        setenv("CHIPHOST_SET_LATER", "1", 1);
        errno = 0;
        call_here(library, "set_errno");
        void* theirs = nullptr;
        call_here(library, "address_of_malloc", nullptr, &theirs);
        return std::string(call_here(library, "has_variable", "PATH") == 1 ? "early seen" : "early not seen") +
               (call_here(library, "has_variable", "CHIPHOST_SET_LATER") == 0 ? ", late not seen" : ", late seen") +
               (errno == 0 ? ", errno apart" : ", errno shared") +
               (theirs != dlsym(RTLD_DEFAULT, "malloc") ? ", malloc apart" : ", malloc shared");
    });

    // The program's settings are passed as arguments, and texts that come back are copied.
    setenv("CHIPHOST_SET_LATER", "1", 1);
    Library library = open("signatures");
    EXPECT_EQ(library.function<uint64_t(const char*)>("text_length")(getenv("CHIPHOST_SET_LATER")), 1u);
    EXPECT_EQ(library.function<std::string(int32_t)>("greeting")(1), "hello from the library");
    SKIP_UNLESS_AS_MEASURED("H7", "early seen, late not seen, errno apart, malloc apart", found);
}

TEST(Facts, H8_RtldGlobalInsideCrashes) {
    const std::string found = raw_outcome([] {
        void* library = open_raw("inspector", LM_ID_NEWLM);
        const int32_t code = call_here(library, "open_globally", library_path("counter").c_str());
        return "returned " + std::to_string(code);
    });
    const std::string from_outside = raw_outcome([]() -> std::string {
        void* library = open_raw("inspector", LM_ID_NEWLM);
        const std::string path = library_path("counter");
        if (dlmopen(list_of(library), path.c_str(), RTLD_NOW | RTLD_GLOBAL)) return "loaded";
        const std::string words = dlerror();
        return words.find("invalid mode") != std::string::npos ? "invalid mode" : words;
    });

    // chiphost opens the same file inside a namespace, and never with that flag.
    Guest guest(Strategy::link_namespace, "inspector");
    Guest second(&guest.domain(), "counter");
    EXPECT_EQ(second.call("count_call"), 1);
    EXPECT_EQ(guest.call("finds_default", "count_call"), 0);
    SKIP_UNLESS_AS_MEASURED("H8", "killed by signal 11", found);
    SKIP_UNLESS_AS_MEASURED("H8, from outside", "invalid mode", from_outside);
}

TEST(Facts, H9_RtldDefaultFindsOnlyTheFirstObjectAndItsDependencies) {
    const std::string found = raw_outcome([]() -> std::string {
        void* first = open_raw("inspector", LM_ID_NEWLM);
        open_raw("counter", list_of(first));
        return std::string(call_here(first, "finds_default", "thread_id") == 1 ? "first found" : "first not found") +
               (call_here(first, "finds_default", "malloc") == 1 ? ", dependency found" : ", dependency not found") +
               (call_here(first, "finds_default", "count_call") == 0 ? ", second not found" : ", second found");
    });

    // So functions that others look up belong into the anchor, which is the first object.
    Guest guest(Strategy::link_namespace, "inspector");
    EXPECT_EQ(guest.call("finds_default", CH_ANCHOR_ENTRY), 1);
    Guest other(&guest.domain(), "counter");
    EXPECT_EQ(other.call("count_call"), 1) << "by its handle, every symbol is found";
    SKIP_UNLESS_AS_MEASURED("H9", "first found, dependency found, second not found", found);
}

TEST(Facts, H11_WhatANamespaceOpensStaysInIt) {
    const std::string found = raw_outcome([]() -> std::string {
        void* library = open_raw("inspector", LM_ID_NEWLM);
        Lmid_t list = LM_ID_BASE;
        if (call_here(library, "open_inside", library_path("counter").c_str(), &list) != 0) return "not opened";
        return list == list_of(library) ? "in the same namespace" : "elsewhere";
    });

    Guest guest(Strategy::link_namespace, "inspector");
    Lmid_t list = LM_ID_BASE;
    ASSERT_EQ(guest.call("open_inside", library_path("counter").c_str(), &list), 0);
    EXPECT_NE(list, LM_ID_BASE);
    EXPECT_EQ(dlopen(library_path("counter").c_str(), RTLD_NOW | RTLD_NOLOAD), nullptr) << "it is in the program's";
    const auto objects = guest.domain().loaded_objects();
    EXPECT_EQ(std::count(objects.begin(), objects.end(), library_path("counter")), 1);
    SKIP_UNLESS_AS_MEASURED("H11", "in the same namespace", found);
}

TEST(Facts, H15_ALookupThatFindsNothingBlocksTheLoader) {
    const auto close_after_lookup_of = [](const char* symbol) {
        return raw_outcome([symbol]() -> std::string {
            constexpr unsigned hangs_after_s = 5;
            alarm(hangs_after_s);
            void* library = open_raw("inspector", LM_ID_NEWLM);
            const int32_t found = call_here(library, "finds_default_on_a_thread", symbol);
            shrink_a_scope();
            return found == 1 ? "found, closed" : "not found, closed";
        });
    };
    const std::string found = close_after_lookup_of("malloc");
    const std::string not_found = close_after_lookup_of("no_such_symbol");

    // In chiphost's namespaces such lookups go to the anchor, which asks handles. This holds on any thread.
    const std::string through_chiphost = raw_outcome([]() -> std::string {
        constexpr unsigned hangs_after_s = 20;
        alarm(hangs_after_s);
        Guest guest(Strategy::link_namespace, "inspector");
        if (guest.call("finds_default", CH_ANCHOR_ENTRY) != 1) return "lost";
        if (guest.call("finds_default", "no_such_symbol") != 0) return "found";
        if (guest.call("finds_default_on_a_thread", "no_such_symbol") != 0) return "found";
        shrink_a_scope();
        return "not found, closed";
    });
    EXPECT_EQ(through_chiphost, "not found, closed");
    SKIP_UNLESS_AS_MEASURED("H15", "found, closed", found);
    SKIP_UNLESS_AS_MEASURED("H15", "killed by signal 14", not_found);
}

#endif

#ifdef CHIPHOST_SANITIZED_LIBRARY

TEST(Facts, H10_ASanitizedLibraryDoesNotLoadIntoANamespace) {
    const std::string found = raw_outcome([]() -> std::string {
        const std::string path = library_path(CHIPHOST_SANITIZED_LIBRARY);
        return dlmopen(LM_ID_NEWLM, path.c_str(), RTLD_NOW | RTLD_LOCAL) ? "loaded" : "refused";  // or the child ends
    });

#if CHIPHOST_SANITIZED  // so a build with a sanitizer has copies only
    Domain* domain = nullptr;
    ch_error error = no_error();
    EXPECT_EQ(Domain::open(Strategy::link_namespace, CHIPHOST_ANCHOR, &domain, &error), CH_ISOLATION_UNAVAILABLE);
    EXPECT_NE(text_of(error).find("sanitizer"), std::string::npos) << text_of(error);
    EXPECT_EQ(Guest(Strategy::copy, "counter").call("count_call"), 1);
#else  // another build is not ended by such a library
    Domain* domain = nullptr;
    ch_library* library = nullptr;
    ch_error error = no_error();
    ASSERT_EQ(Domain::open(Strategy::link_namespace, CHIPHOST_ANCHOR, &domain, &error), CH_OK) << text_of(error);
    EXPECT_EQ(domain->open_library(library_path(CHIPHOST_SANITIZED_LIBRARY), &library, &error), CH_LOAD_REFUSED);
    EXPECT_NE(text_of(error).find("sanitizer"), std::string::npos) << text_of(error);
    EXPECT_TRUE(domain->clear()) << "the namespace can take another library";
#endif
    if (found == "loaded") GTEST_SKIP() << tests::row_differs("H10", "not loaded", found);
}

#endif

}  // namespace chiphost::isolate

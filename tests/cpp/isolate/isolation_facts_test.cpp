// SPDX-License-Identifier: Apache-2.0
//
// The hazards of docs/internals/namespaces.md, row by row (H12 is in without_dlmopen_test.cpp). Each test shows the
// hazard without chiphost, in a child process that may be lost to it, and then that chiphost avoids it. A test whose
// hazard is gone says so and counts as skipped. Every test runs in a process of its own.
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <thread>
#include <vector>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

#include "chiphost/isolate/library.h"
#include "guest.h"
#include "isolate/domain/library_pool.h"
#include "isolate/domain/namespace_pool.h"
#include "raw_outcome.h"

namespace chiphost::isolate {

using tests::library_path;
using tests::mappings_of;
using tests::raw_outcome;
using tests::text_of;

namespace {

// For the bodies of raw_outcome.
int32_t call_here(void* handle, const char* symbol, const void* second = nullptr, void* third = nullptr) {
    auto* function = reinterpret_cast<ch_call>(dlsym(handle, symbol));
    if (!function) tests::give_up_in_child();
    return function(nullptr, second, third);
}

void* open_raw(const char* name, Lmid_t list = LM_ID_BASE) {
    void* handle = dlmopen(list, library_path(name).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) tests::give_up_in_child();
    return handle;
}

// Calls count_call of a library in this process.
int32_t count_call(const ch_library* library) {
    auto* function = reinterpret_cast<ch_call>(dlsym(library->handle, "count_call"));
    return function ? function(nullptr, nullptr, nullptr) : -1;
}

#if !CHIPHOST_SANITIZED

Lmid_t list_of(void* handle) {
    Lmid_t list = LM_ID_BASE;
    return dlinfo(handle, RTLD_DI_LMID, &list) == 0 ? list : LM_ID_BASE;
}

Library open(const std::string& name) {
    Options options;
    options.strategy = Strategy::link_namespace;
    return Library::open(library_path(name), options);
}

// The memory of the program's own malloc: begin and end.
std::array<uintptr_t, 2> heap_of_the_program() {
    std::ifstream maps("/proc/self/maps");
    std::array<uintptr_t, 2> range{};
    for (std::string line; std::getline(maps, line);) {
        if (line.find("[heap]") != std::string::npos) sscanf(line.c_str(), "%zx-%zx", &range[0], &range[1]);
    }
    return range;
}

#endif

}  // namespace

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

TEST(Facts, H2_AThreadLocalPinsALibraryAsLongAsTheThreadLives) {
    const std::string found = raw_outcome([] {
        void* library = open_raw("pins_itself");
        std::thread([&] { call_here(library, "count_call"); }).join();
        dlclose(library);
        const bool gone = mappings_of("pins_itself") == 0;
        library = open_raw("pins_itself");
        call_here(library, "count_call");  // this thread lives on
        dlclose(library);
        const bool kept = mappings_of("pins_itself") > 0;
        return std::string(gone ? "gone after the thread" : "kept") + ", " + (kept ? "kept before" : "gone");
    });

    // close says so.
    LibraryPool pool(nullptr);
    const tests::Binary binary("pins_itself");
    ch_library* library = nullptr;
    ch_open_request request{};
    request.binary = binary.raw();
    request.out_library = &library;
    ch_error error = no_error();
    ASSERT_EQ(pool.open(request, &error), CH_OK) << text_of(error);
    std::thread([&] { EXPECT_EQ(count_call(library), 1); }).join();
    EXPECT_TRUE(pool.close(library)) << "the thread has ended";
    EXPECT_EQ(mappings_of("pins_itself"), 0u);
    ASSERT_EQ(pool.open(request, &error), CH_OK) << text_of(error);
    EXPECT_EQ(count_call(library), 1);
    EXPECT_FALSE(pool.close(library)) << "this thread goes on";
    EXPECT_GT(mappings_of("pins_itself"), 0u);
    ch_anchor_counts counts{};
    pool.count(&counts);
    EXPECT_EQ(counts.pinned, 1u);
    EXPECT_EQ(counts.libraries, 0u);

#if !CHIPHOST_SANITIZED
    Library inside = open("pins_itself");
    EXPECT_EQ(inside.function<int32_t(void*, void*, void*)>("count_call")(nullptr, nullptr, nullptr), 1);
    const CloseResult closed = inside.close();
    EXPECT_EQ(closed.state, CloseState::pinned) << closed.text();
    EXPECT_FALSE(closed.namespace_recycled);
    ASSERT_FALSE(closed.pins.empty());
    EXPECT_EQ(closed.pins[0].cause, PinCause::thread_local_destructor) << closed.text();
#endif
    SKIP_UNLESS_AS_MEASURED("H2", "gone after the thread, kept before", found);
}

#if !CHIPHOST_SANITIZED

TEST(Facts, H3_AThreadOfTheProgramNeverRunsDestructorsOfTheNamespace) {
    const std::string found = raw_outcome([] {
        void* library = open_raw("pins_itself", LM_ID_NEWLM);
        int32_t ends = 0;
        std::thread([&] { call_here(library, "watch_end", nullptr, &ends); }).join();
        dlclose(library);
        return std::to_string(ends) + " destructors ran, " + (mappings_of("pins_itself") ? "pinned" : "unloaded");
    });

    // A thread that was made inside runs them, and the library goes.
    Guest guest(Strategy::link_namespace, "pins_itself");
    int32_t ends = 0;
    ASSERT_EQ(guest.call("watch_end_of_own_thread", nullptr, &ends), 0);
    EXPECT_EQ(ends, 1);
    EXPECT_TRUE(guest.domain().close_library(guest.library()));
    EXPECT_EQ(mappings_of("pins_itself"), 0u);
    SKIP_UNLESS_AS_MEASURED("H3", "0 destructors ran, pinned", found);
}

TEST(Facts, H4_EndedThreadsGiveBaseMemoryToTheNamespace) {
    const std::string found = raw_outcome([] {
        void* library = open_raw("dynamic_tls", LM_ID_NEWLM);
        const auto blocks_of_the_heap = [&] {
            const auto heap = heap_of_the_program();
            return call_here(library, "allocate_between", heap.data());
        };
        const int32_t before = blocks_of_the_heap();
        constexpr int32_t threads = 8;  // many more, and the namespace's free() crashes on blocks that are not its own
        call_here(library, "end_threads", &threads);
        return std::to_string(before) + " before, " + (blocks_of_the_heap() > 0 ? "some" : "none") + " after";
    });

    // Threads that are parked and lent again hand nothing over.
    Guest guest(Strategy::link_namespace, "dynamic_tls");
    constexpr int rounds = 25;
    constexpr size_t at_once = 8;
    for (int round = 0; round < rounds; ++round) {
        std::vector<ch_mailbox*> threads(at_once);
        ch_error error = no_error();
        for (ch_mailbox*& thread : threads) {
            ASSERT_EQ(guest.domain().lease_thread(&thread, &error), CH_OK) << text_of(error);
            ASSERT_EQ(guest.call_on(thread, "use_thread_local"), 0);
        }
        for (ch_mailbox* thread : threads) guest.domain().return_thread(thread);
    }
    EXPECT_EQ(guest.domain().counts().threads, at_once + 2) << "the guest's and the keeper besides";
    const auto heap = heap_of_the_program();
    ASSERT_GT(heap[1], heap[0]);
    EXPECT_EQ(guest.call("allocate_between", heap.data()), 0);
    SKIP_UNLESS_AS_MEASURED("H4", "0 before, some after", found);
}

// Keys are numbered for each libc, their values kept for each thread. On one thread, two libcs read each other's
// values.
TEST(Facts, H5_KeysOfTwoLibcsAreTheSameSlotOfAThread) {
    const std::string found = raw_outcome([]() -> std::string {
        pthread_key_t ours = 0;
        if (pthread_key_create(&ours, nullptr) != 0) return "no key";
        void* library = open_raw("inspector", LM_ID_NEWLM);
        int32_t theirs = -1;
        while (theirs < static_cast<int32_t>(ours)) theirs = call_here(library, "make_key");
        return pthread_getspecific(ours) ? "base reads the namespace's value" : "apart";
    });

    pthread_key_t ours = 0;
    ASSERT_EQ(pthread_key_create(&ours, nullptr), 0);
    Guest guest(Strategy::link_namespace, "inspector");
    int32_t theirs = -1;
    while (theirs < static_cast<int32_t>(ours)) theirs = guest.call("make_key");
    EXPECT_EQ(theirs, static_cast<int32_t>(ours));
    EXPECT_EQ(pthread_getspecific(ours), nullptr);
    EXPECT_EQ(guest.call("thread_id"), guest.thread()->system_id);
    EXPECT_NE(guest.call("thread_id"), static_cast<int32_t>(syscall(SYS_gettid)));
    SKIP_UNLESS_AS_MEASURED("H5", "base reads the namespace's value", found);
}

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

// Closes a library that was opened with another one that stays: the loader shrinks the other's scope, for which it
// waits until no thread looks up a symbol.
static void shrink_a_scope() {
    void* plugin = open_raw("plugin");
    open_raw("opens_plugin");
    dlclose(plugin);
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

bool load_and_close(Domain* domain) {
    ch_library* library = nullptr;
    ch_error error = no_error();
    if (domain->open_library(library_path("counter"), &library, &error) != CH_OK) return false;
    return domain->close_library(library);
}

// True if a child forked now can load a library.
bool a_child_loads(unsigned timeout_s) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(timeout_s);
        Domain* domain = nullptr;
        ch_error error = no_error();
        _exit(Domain::open(Strategy::copy, "", &domain, &error) == CH_OK && load_and_close(domain) ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status == 0;
}

// fork() makes the loader's other lock anew in the child, but not the lock of the list of objects.
TEST(Facts, H14_AForkedChildInheritsALockOfTheLoader) {
    const std::string found = raw_outcome([]() -> std::string {
        static std::atomic<bool> inside{false};
        static std::atomic<bool> over{false};
        std::thread walker([] {
            const auto wait = [](dl_phdr_info*, size_t, void*) {
                inside = true;
                while (!over) std::this_thread::yield();
                return 1;
            };
            dl_iterate_phdr(wait, nullptr);
        });
        while (!inside) std::this_thread::yield();
        const bool loads = a_child_loads(1);
        over = true;
        walker.join();
        return loads ? "loads" : "waits for ever";
    });

    const std::string ours = raw_outcome([]() -> std::string {
        std::atomic<bool> over{false};
        std::vector<std::thread> loaders;
        for (const Strategy strategy : {Strategy::link_namespace, Strategy::copy}) {
            for (int i = 0; i < 2; ++i) {
                loaders.emplace_back([&over, strategy] {
                    Guest guest(strategy, "inspector");
                    while (!over) load_and_close(&guest.domain());
                });
            }
        }
        constexpr int forks = 100;
        int loads = 0;
        while (loads < forks && a_child_loads(20)) ++loads;
        over = true;
        for (std::thread& loader : loaders) loader.join();
        return loads == forks ? "all load" : "child " + std::to_string(loads) + " does not load";
    });
    EXPECT_EQ(ours, "all load");
    SKIP_UNLESS_AS_MEASURED("H14", "waits for ever", found);
}

#if __has_include(<sys/single_threaded.h>)

// Threads of a namespace allocate with the program's malloc, which takes no lock in a program that believes it has one
// thread.
TEST(Facts, H13_ThreadsOfANamespaceDoNotCountForTheProgramsMalloc) {
    const std::string found = raw_outcome([]() -> std::string {
        void* library = open_raw("dynamic_tls", LM_ID_NEWLM);
        constexpr int32_t threads = 1;
        call_here(library, "end_threads", &threads);
        return __libc_single_threaded ? "no locks" : "locks";
    });

    const std::string ours = raw_outcome([]() -> std::string {
        if (!__libc_single_threaded) return "locks already before";
        Guest guest(Strategy::link_namespace, "dynamic_tls");
        guest.call("use_thread_local");
        return __libc_single_threaded ? "no locks" : "locks";
    });
    EXPECT_EQ(ours, "locks");
    SKIP_UNLESS_AS_MEASURED("H13", "no locks", found);
}

#endif

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

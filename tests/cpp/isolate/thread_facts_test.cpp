// SPDX-License-Identifier: Apache-2.0
//
// The hazards of docs/internals/namespaces.md that threads and forks run into; isolation_facts_test.cpp says how each
// test goes, and has the others.
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

#include "chiphost/isolate/library.h"
#include "forked_child.h"
#include "guest.h"
#include "plain_library.h"
#include "pool_library.h"
#include "raw_outcome.h"

namespace chiphost::isolate {

using namespace tests;

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
    ch_library* library = open_copy(pool, binary);
    ASSERT_NE(library, nullptr);
    std::thread([&] { EXPECT_EQ(count_call(library), 1); }).join();
    EXPECT_TRUE(pool.close(library)) << "the thread has ended";
    EXPECT_EQ(mappings_of("pins_itself"), 0u);
    library = open_copy(pool, binary);
    ASSERT_NE(library, nullptr);
    EXPECT_EQ(count_call(library), 1);
    EXPECT_FALSE(pool.close(library)) << "this thread goes on";
    EXPECT_GT(mappings_of("pins_itself"), 0u);
    ch_anchor_counts counts{};
    pool.count(&counts);
    EXPECT_EQ(counts.pinned, 1u);
    EXPECT_EQ(counts.libraries, 0u);

#if !CHIPHOST_SANITIZED
    Library inside = Library::open(library_path("pins_itself"), {Strategy::link_namespace});
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

namespace {

// The memory of the program's own malloc: begin and end.
std::array<uintptr_t, 2> heap_of_the_program() {
    std::ifstream maps("/proc/self/maps");
    std::array<uintptr_t, 2> range{};
    for (std::string line; std::getline(maps, line);) {
        if (line.find("[heap]") != std::string::npos) sscanf(line.c_str(), "%zx-%zx", &range[0], &range[1]);
    }
    return range;
}

bool load_and_close(Domain* domain) {
    ch_library* library = nullptr;
    ch_error error = no_error();
    if (domain->open_library(library_path("counter"), &library, &error) != CH_OK) return false;
    return domain->close_library(library);
}

// True if a child forked now can load a library.
bool a_child_loads(unsigned timeout_s) {
    return holds_in_a_fork(timeout_s, [] {
        Domain* domain = nullptr;
        ch_error error = no_error();
        return Domain::open(Strategy::copy, "", &domain, &error) == CH_OK && load_and_close(domain);
    });
}

}  // namespace

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

}  // namespace chiphost::isolate

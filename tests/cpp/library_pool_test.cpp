// SPDX-License-Identifier: Apache-2.0
#include "isolate/library_pool.h"

#include <dirent.h>
#include <dlfcn.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "isolate/private_copy.h"
#include "test_files.h"

namespace chiphost::isolate {

using tests::Binary;
using tests::bytes_of;
using tests::library_path;
using tests::mappings_of;
using tests::text_of;

namespace {

size_t open_files() {
    size_t count = 0;
    DIR* folder = opendir("/proc/self/fd");
    while (readdir(folder)) ++count;
    closedir(folder);
    return count;
}

ch_library* open(LibraryPool& pool, const Binary& binary, const char* key) {
    ch_library* library = nullptr;
    ch_open_request request{};
    request.binary = binary.raw();
    request.binary.key = key;
    request.out_library = &library;
    ch_error error = no_error();
    EXPECT_EQ(pool.open(request, &error), CH_OK) << text_of(error);
    return library;
}

int32_t call(const ch_library* library, const char* symbol) {
    auto* function = reinterpret_cast<ch_call>(dlsym(library->handle, symbol));
    return function ? function(nullptr, nullptr, nullptr) : -1;
}

}  // namespace

TEST(LibraryPool, GivesEveryUserOfALibraryWithStateItsOwn) {
    LibraryPool pool;
    const Binary counter("counter");
    ch_library* first = open(pool, counter, "same key");
    ch_library* second = open(pool, counter, "same key");
    EXPECT_NE(first, second);
    EXPECT_EQ(call(first, "count_call"), 1);
    EXPECT_EQ(call(first, "count_call"), 2);
    EXPECT_EQ(call(second, "count_call"), 1);
    EXPECT_TRUE(pool.close(first));
    EXPECT_TRUE(pool.close(second));
}

#if !CHIPHOST_SANITIZED  // sanitizers give every library variables
TEST(LibraryPool, SharesALibraryWithoutState) {
    LibraryPool pool;
    const Binary stateless("stateless");
    ch_library* first = open(pool, stateless, "key");
    ch_library* second = open(pool, stateless, "key");
    ch_library* other = open(pool, stateless, "another key");
    EXPECT_EQ(first, second);
    EXPECT_NE(first, other);
    EXPECT_EQ(call(first, "seven"), 7);
    EXPECT_FALSE(pool.close(first)) << "it has another user";
    EXPECT_EQ(call(second, "seven"), 7);
    EXPECT_FALSE(pool.close(second)) << "it is kept";
    EXPECT_EQ(open(pool, stateless, "key"), first) << "it is kept for the next user";
    ch_anchor_counts counts{};
    pool.count(&counts);
    EXPECT_EQ(counts.loads, 2u);
    EXPECT_EQ(counts.libraries, 2u);
}

TEST(LibraryPool, KeepsOnlySoManyUnusedLibraries) {
    LibraryPool pool;
    const Binary stateless("stateless");
    for (size_t i = 0; i < LibraryPool::idle_max + 10; ++i) {
        pool.close(open(pool, stateless, ("key " + std::to_string(i)).c_str()));
    }
    ch_anchor_counts counts{};
    pool.count(&counts);
    EXPECT_EQ(counts.libraries, LibraryPool::idle_max);
    EXPECT_EQ(counts.libraries_idle, LibraryPool::idle_max);
    EXPECT_EQ(counts.pinned, 0u) << "the others are unloaded";
}
#endif

// facts/isolation.md C8: private copies cost nothing that stays.
TEST(LibraryPool, LeavesNothingBehind) {
    LibraryPool pool;
    const Binary counter("counter");
    pool.close(open(pool, counter, ""));
    const size_t files = open_files();
    for (int i = 0; i < 1000; ++i) {
        ch_library* library = open(pool, counter, "");
        ASSERT_EQ(call(library, "count_call"), 1) << "cycle " << i;
        ASSERT_TRUE(pool.close(library));
    }
    EXPECT_EQ(open_files(), files);
    EXPECT_EQ(mappings_of("counter"), 0u);
}

// The loader takes a path it has seen for the library it loaded then. Every copy must have a path of its own, although
// they all have the same file descriptor.
TEST(LibraryPool, LoadsNewBytesUnderAReusedDescriptor) {
    LibraryPool pool;
    const Binary counter("counter"), stateless("stateless");
    ch_library* first = open(pool, counter, "");
    ch_library* second = open(pool, stateless, "");
    EXPECT_EQ(call(first, "seven"), -1);
    EXPECT_EQ(call(second, "seven"), 7);
    pool.close(first);
    pool.close(second);
}

TEST(LibraryPool, RefusesBrokenBytes) {
    LibraryPool pool;
    Binary broken("counter");
    broken.bytes.resize(broken.bytes.size() / 4);
    ch_library* library = nullptr;
    ch_open_request request{};
    request.binary = broken.raw();
    request.out_library = &library;
    ch_error error = no_error();
    EXPECT_EQ(pool.open(request, &error), CH_FILE_TRUNCATED) << text_of(error);
    ch_anchor_counts counts{};
    pool.count(&counts);
    EXPECT_EQ(counts.libraries, 0u);
}

// facts/isolation.md H1: what -fno-gnu-unique is for. If this fails, the machine's loader or compiler has changed.
TEST(LibraryPool, UniqueSymbolsPinALibrary) {
#ifdef __GNUC__
    void* first = dlopen(library_path("unique_symbols").c_str(), RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(first, nullptr) << dlerror();
    auto* count = reinterpret_cast<ch_call>(dlsym(first, "count_call"));
    EXPECT_EQ(count(nullptr, nullptr, nullptr), 1);
    dlclose(first);
#ifndef __clang__
    EXPECT_GT(mappings_of("unique_symbols"), 0u) << "dlclose unloaded a library with STB_GNU_UNIQUE symbols";
    LibraryPool pool;
    ch_library* library = nullptr;
    ch_open_request request{};
    const std::string path = library_path("unique_symbols");
    request.binary.name = path.c_str();
    request.in_place = 1;
    request.out_library = &library;
    ch_error error = no_error();
    ASSERT_EQ(pool.open(request, &error), CH_OK);
    EXPECT_FALSE(pool.close(library)) << "close must tell that the library is still there";
    ch_anchor_counts counts{};
    pool.count(&counts);
    EXPECT_EQ(counts.pinned, 1u);
#endif
#endif
}

#if defined(__GNUC__) && !defined(__clang__)
// Two copies of it would count together.
TEST(LibraryPool, RefusesACopyThatWouldShareASymbol) {
    LibraryPool pool;
    const Binary binary("unique_symbols");
    ch_library* library = nullptr;
    ch_open_request request{};
    request.binary = binary.raw();
    request.out_library = &library;
    ch_error error = no_error();
    EXPECT_EQ(pool.open(request, &error), CH_UNIQUE_SYMBOL);
    EXPECT_EQ(text_of(error),
              "UNIQUE_SYMBOL: unique_symbols: the symbol _ZN4OnceIiE5callsE is STB_GNU_UNIQUE, so all copies of the "
              "library would share it; compile with -fno-gnu-unique");
}
#endif

TEST(LibraryPool, GivesALibraryWithoutNamesOfItsStateToOneUser) {
    LibraryPool pool;
    const Binary counter("counter_without_names");
    ch_library* first = open(pool, counter, "key");
    ch_library* second = open(pool, counter, "key");
    EXPECT_EQ(call(first, "count_call"), 1);
    EXPECT_EQ(call(second, "count_call"), 1);
}

// facts/isolation.md H2: close must tell that a copy is still there.
TEST(LibraryPool, TellsWhenAThreadPinsACopy) {
    LibraryPool pool;
    const Binary binary("pins_itself");
    ch_library* library = open(pool, binary, "");
    std::thread([&] { EXPECT_EQ(call(library, "count_call"), 1); }).join();
    EXPECT_TRUE(pool.close(library)) << "the thread has ended";
    EXPECT_EQ(mappings_of("pins_itself"), 0u);
    library = open(pool, binary, "");
    EXPECT_EQ(call(library, "count_call"), 1);
    EXPECT_FALSE(pool.close(library)) << "this thread goes on";
    EXPECT_GT(mappings_of("pins_itself"), 0u);
    ch_anchor_counts counts{};
    pool.count(&counts);
    EXPECT_EQ(counts.pinned, 1u);
    EXPECT_EQ(counts.libraries, 0u);
}

#if !CHIPHOST_SANITIZED
// The loader is busy as long as a constructor runs; what is loaded already must not wait for it.
TEST(LibraryPool, ServesLoadedLibrariesWhileAnotherIsLoading) {
    static LibraryPool pool;
    const Binary stateless("stateless"), gated("gated");
    ch_library* library = open(pool, stateless, "key");
    ASSERT_NE(pool.find_symbol(library, "seven"), nullptr);
    std::thread loads;
    std::atomic<bool> served{false};
    {
        const tests::Gate gate;
        loads = std::thread([&] { open(pool, gated, ""); });
        while (mappings_of("gated") == 0) usleep(1000);
        std::thread([&] {
            ch_library* again = open(pool, stateless, "key");
            EXPECT_EQ(again, library);
            EXPECT_NE(pool.find_symbol(again, "seven"), nullptr);
            pool.close(again);
            ch_anchor_counts counts{};
            pool.count(&counts);
            EXPECT_EQ(counts.loads, 1u);
            served = true;
        }).detach();
        for (int i = 0; i < 5000 && !served; ++i) usleep(1000);
        EXPECT_TRUE(served);
    }
    loads.join();
    while (!served) usleep(1000);
}
#endif

}  // namespace chiphost::isolate

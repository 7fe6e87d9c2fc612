// SPDX-License-Identifier: Apache-2.0
//
// isolation_facts_test.cpp and isolation_capacity_test.cpp test H1, H2 and C8 of docs/internals/namespaces.md.
#include "isolate/domain/library_pool.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "loader/library_file.h"
#include "loader/loader_path.h"
#include "temp_folder.h"
#include "test_files.h"

namespace chiphost::isolate {

using tests::Binary;
using tests::bytes_of;
using tests::library_path;
using tests::mappings_of;
using tests::text_of;

namespace {

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

// A path in which the loader would replace something is named by a descriptor, which stays open. There is one for each
// folder or file, not for each load, and a new one if something else is there now.
TEST(LoaderPath, OpensWhatHasADollarOnce) {
    const tests::TempFolder folder;
    for (const std::string place : {"/$LIB/one.so", "/one$.so"}) {
        const std::filesystem::path path = folder.path() + place;
        const auto make = [&](const char* content) {
            std::filesystem::create_directories(path.parent_path());
            std::ofstream(path) << content;
        };
        const auto read = [&] {
            std::string content;
            std::ifstream(loader::LoaderPath(path).c_str()) >> content;
            return content;
        };
        make("first");
        EXPECT_EQ(read(), "first");
        const std::string first = loader::LoaderPath(path).c_str();
        const auto files = [] {
            const std::filesystem::directory_iterator listed("/proc/self/fd");
            return std::distance(begin(listed), end(listed));
        };
        const auto open_before = files();
        for (int i = 0; i < 10; ++i) EXPECT_EQ(loader::LoaderPath(path).c_str(), first);
        EXPECT_EQ(files(), open_before);
        std::filesystem::rename(path, folder.path() + "/kept");  // so that the file system gives its number to none
        if (place[1] == '$') std::filesystem::remove(path.parent_path());
        make("second");
        EXPECT_EQ(read(), "second");
        EXPECT_NE(std::string(loader::LoaderPath(path).c_str()), first);
        std::filesystem::remove_all(path);
        std::filesystem::remove(folder.path() + "/kept");
        if (place[1] == '$') std::filesystem::remove(path.parent_path());
    }
}

TEST(LibraryPool, GivesEveryUserOfALibraryWithStateItsOwn) {
    LibraryPool pool(nullptr);
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
    LibraryPool pool(nullptr);
    const Binary stateless("stateless");
    ch_library* first = open(pool, stateless, "key");
    ch_library* second = open(pool, stateless, "key");
    ch_library* other = open(pool, stateless, "another key");
    EXPECT_EQ(first, second);
    EXPECT_NE(first, other);
    EXPECT_EQ(call(first, "seven"), 7);
    EXPECT_FALSE(pool.close(first)) << "it has another user";
    ch_anchor_counts between{};
    pool.count(&between);
    EXPECT_EQ(between.libraries_idle, 0u);
    EXPECT_EQ(call(second, "seven"), 7);
    EXPECT_FALSE(pool.close(second)) << "it is kept";
    EXPECT_EQ(open(pool, stateless, "key"), first) << "it is kept for the next user";
    ch_anchor_counts counts{};
    pool.count(&counts);
    EXPECT_EQ(counts.loads, 2u);
    EXPECT_EQ(counts.libraries, 2u);
}

TEST(LibraryPool, KeepsOnlySoManyUnusedLibraries) {
    LibraryPool pool(nullptr);
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

#if !CHIPHOST_SANITIZED
// One library more than are kept without users, then the first ones again: they are loaded anew, and work.
TEST(LibraryPool, LoadsAnewWhatItHasUnloaded) {
    LibraryPool pool(nullptr);
    const Binary stateless("stateless");
    const auto key = [](size_t number) { return "key " + std::to_string(number); };
    for (size_t i = 0; i < LibraryPool::idle_max; ++i) pool.close(open(pool, stateless, key(i).c_str()));
    pool.close(open(pool, stateless, key(0).c_str()));  // used again: now the second is the oldest
    pool.close(open(pool, stateless, "one more"));
    const auto loads = [&] {
        ch_anchor_counts counts{};
        pool.count(&counts);
        return counts.loads;
    };
    EXPECT_EQ(loads(), LibraryPool::idle_max + 1);
    ch_library* kept = open(pool, stateless, key(0).c_str());
    EXPECT_EQ(loads(), LibraryPool::idle_max + 1) << "it is kept";
    ch_library* anew = open(pool, stateless, key(1).c_str());
    EXPECT_EQ(loads(), LibraryPool::idle_max + 2);
    for (ch_library* library : {kept, anew}) EXPECT_EQ(call(library, "seven"), 7);
}

TEST(LibraryPool, ForgetsOneKeyOrAll) {
    LibraryPool pool(nullptr);
    const Binary stateless("stateless");
    ch_library* used = open(pool, stateless, "used");
    for (const char* key : {"a", "b", "c"}) pool.close(open(pool, stateless, key));
    ch_anchor_counts counts{};
    pool.flush("b");
    pool.flush("b");
    pool.count(&counts);
    EXPECT_EQ(counts.libraries, 3u);
    ch_library* again = open(pool, stateless, "b");
    EXPECT_EQ(call(again, "seven"), 7);
    pool.close(again);
    pool.flush("");
    pool.count(&counts);
    EXPECT_EQ(counts.libraries, 1u);
    EXPECT_EQ(counts.libraries_idle, 0u);
    EXPECT_EQ(call(used, "seven"), 7);
}
#endif

// The loader takes a path it has seen for the library it loaded then. Every copy must have a path of its own, although
// all have the same file descriptor.
TEST(LibraryPool, LoadsNewBytesUnderAReusedDescriptor) {
    LibraryPool pool(nullptr);
    const Binary counter("counter"), stateless("stateless");
    ch_library* first = open(pool, counter, "");
    ch_library* second = open(pool, stateless, "");
    EXPECT_EQ(call(first, "seven"), -1);
    EXPECT_EQ(call(second, "seven"), 7);
    pool.close(first);
    pool.close(second);
}

TEST(LibraryPool, RefusesBrokenBytes) {
    LibraryPool pool(nullptr);
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

TEST(LibraryPool, GivesALibraryWithoutNamesOfItsStateToOneUser) {
    LibraryPool pool(nullptr);
    const Binary counter("counter_without_names");
    ch_library* first = open(pool, counter, "key");
    ch_library* second = open(pool, counter, "key");
    EXPECT_EQ(call(first, "count_call"), 1);
    EXPECT_EQ(call(second, "count_call"), 1);
}

#if !CHIPHOST_SANITIZED
// The loader is busy as long as a constructor runs; loaded libraries must not wait for it.
TEST(LibraryPool, ServesLoadedLibrariesWhileAnotherIsLoading) {
    static LibraryPool pool(nullptr);
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

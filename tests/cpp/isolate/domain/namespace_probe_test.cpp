// SPDX-License-Identifier: Apache-2.0
//
// The number of namespaces that are left, as an estimate and as a probe finds it. isolation_capacity_test.cpp tests how
// many can really be opened, in the situations that were measured. Every test runs in a process of its own.
#include "isolate/domain/namespace_probe.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "guest.h"
#include "isolate/domain/glibc_tunables.h"
#include "isolate/domain/namespace_budget.h"
#include "plain_dlmopen.h"
#include "start_with_tunables.h"

namespace chiphost::isolate {

using tests::library_path;
using tests::plain_namespaces_left;
using tests::start_with;
using tests::text_of;

#if CHIPHOST_SANITIZED

TEST(NamespaceProbe, SaysThatThisBuildHasNone) {
    NamespaceProbe probe;
    ch_error error = no_error();
    EXPECT_EQ(probe_namespaces(CHIPHOST_ANCHOR, "", &probe, &error), CH_ISOLATION_UNAVAILABLE);
    EXPECT_NE(text_of(error).find("sanitizer"), std::string::npos) << text_of(error);
    Domain* domain = nullptr;
    EXPECT_EQ(Domain::open(Strategy::link_namespace, CHIPHOST_ANCHOR, &domain, &error), CH_ISOLATION_UNAVAILABLE);
}

#else

namespace {

NamespaceProbe probe(const std::string& library = "") {
    NamespaceProbe result;
    ch_error error = no_error();
    EXPECT_EQ(probe_namespaces(CHIPHOST_ANCHOR, library, &result, &error), CH_OK) << text_of(error);
    return result;
}

NamespaceCapacity capacity(const std::string& library = "") {
    NamespaceCapacity result;
    ch_error error = no_error();
    EXPECT_EQ(find_namespace_capacity(CHIPHOST_ANCHOR, library, &result, &error), CH_OK) << text_of(error);
    return result;
}

// Changes the text of /proc/self/environ for this process, so that the estimate is wrong.
void pretend(const std::string& tunables) {
    std::ifstream file("/proc/self/stat");
    std::string field;
    std::getline(file, field, ')');  // the program's name may have spaces
    constexpr int first_field = 3;
    constexpr int environment_start = 50;
    for (int number = first_field; number <= environment_start; ++number) file >> field;
    char* begin = reinterpret_cast<char*>(std::stoull(field));
    file >> field;
    char* end = reinterpret_cast<char*>(std::stoull(field));
    const std::string name = "GLIBC_TUNABLES=";
    char* found = std::search(begin, end, name.begin(), name.end());
    ASSERT_NE(found, end);
    ASSERT_EQ(strlen(found), name.size() + tunables.size());
    memcpy(found + name.size(), tunables.data(), tunables.size());
}

}  // namespace

// The tunables advised for a library that needs more than others are enough.
TEST(NamespaceCapacity, AdvisesTunablesThatHelp) {
    if (!getenv("GLIBC_TUNABLES")) {
        const NamespaceCapacity now = capacity(library_path("openmp"));
        ASSERT_EQ(now.probe.left, plain_namespaces_left(library_path("openmp")));
        ASSERT_LT(now.probe.left, namespaces_max);
        ASSERT_EQ(now.advice.namespaces, namespaces_max);
        ASSERT_NO_FATAL_FAILURE(start_with(now.advice.tunables));
    }
    const NamespaceCapacity then = capacity(library_path("openmp"));
    EXPECT_EQ(then.probe.left, namespaces_max) << getenv("GLIBC_TUNABLES");
    EXPECT_EQ(then.advice.tunables, "") << "there is no more to have";
    ch_error error = no_error();
    EXPECT_EQ(open_all(library_path("openmp"), &error), namespaces_max) << text_of(error);
}

TEST(NamespaceCapacity, CountsThoseThatOthersHaveOpened) {
    const size_t limit = plain_namespaces_left();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(dlmopen(LM_ID_NEWLM, library_path("thrower").c_str(), RTLD_NOW));
    Domain* domain = nullptr;
    ch_error error = no_error();
    ASSERT_EQ(Domain::open(Strategy::link_namespace, CHIPHOST_ANCHOR, &domain, &error), CH_OK) << text_of(error);
    const NamespaceCapacity found = capacity();
    EXPECT_EQ(found.numbers.opened, 1u);
    EXPECT_EQ(found.numbers.others, 3u);
    EXPECT_EQ(found.probe.left, limit - 4);
    EXPECT_EQ(open_all("", &error), limit - 4);
    EXPECT_EQ(error.code, CH_NAMESPACES_SPENT);
    const std::string words =
        std::to_string(limit) + " linker namespaces are open, " + std::to_string(limit - 3) + " of them chiphost's";
    EXPECT_NE(text_of(error).find(words), std::string::npos) << text_of(error);
}

// The estimate may be wrong, as with another C library or processor. In both cases the loader decides, and chiphost
// passes its answer on.
TEST(NamespaceBudget, OpensMoreThanItEstimated) {
    ASSERT_NO_FATAL_FAILURE(start_with("glibc.rtld.nns=16"));
    ASSERT_NO_FATAL_FAILURE(pretend("glibc.rtld.nns=03"));
    const size_t limit = plain_namespaces_left();
    ASSERT_LT(LoaderTunables::in_force().namespaces_estimated(), limit);
    ch_error error = no_error();
    EXPECT_EQ(open_all("", &error), limit);
    EXPECT_EQ(error.code, CH_NAMESPACES_SPENT);
    EXPECT_NE(text_of(error).find("This is the most that glibc allows"), std::string::npos) << text_of(error);
}

TEST(NamespaceBudget, OpensLessThanItEstimated) {
    ASSERT_NO_FATAL_FAILURE(start_with("glibc.rtld.nns=04"));
    ASSERT_NO_FATAL_FAILURE(pretend("glibc.rtld.nns=16"));
    const size_t limit = plain_namespaces_left();
    ASSERT_GT(LoaderTunables::in_force().namespaces_estimated(), limit);
    ch_error error = no_error();
    EXPECT_EQ(open_all("", &error), limit);
    EXPECT_EQ(error.code, CH_NAMESPACES_SPENT) << text_of(error);
    EXPECT_NE(text_of(error).find("static TLS"), std::string::npos) << text_of(error);
}

TEST(NamespaceProbe, SurvivesALibraryThatCrashes) {
    NamespaceProbe found;
    ch_error error = no_error();
    const std::string path = library_path("crashes_when_loaded");
    EXPECT_EQ(probe_namespaces(CHIPHOST_ANCHOR, path, &found, &error), CH_LOAD_REFUSED);
    EXPECT_NE(text_of(error).find("signal 11"), std::string::npos) << text_of(error);
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

TEST(NamespaceProbe, GivesUpOnALibraryThatHangs) {
    NamespaceProbe found;
    ch_error error = no_error();
    const std::string path = library_path("hangs_when_loaded");
    EXPECT_EQ(probe_namespaces(CHIPHOST_ANCHOR, path, &found, &error, 500'000'000), CH_LOAD_REFUSED);
    EXPECT_NE(text_of(error).find("did not end within 0.5 s"), std::string::npos) << text_of(error);
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

TEST(NamespaceProbe, SaysWhatCannotBeLoaded) {
    NamespaceProbe found;
    ch_error error = no_error();
    EXPECT_EQ(probe_namespaces(CHIPHOST_ANCHOR, "/nowhere/lib.so", &found, &error), CH_FILE_UNREADABLE);
    EXPECT_EQ(probe_namespaces(CHIPHOST_ANCHOR, CHIPHOST_TEST_LIBRARIES "/../CMakeCache.txt", &found, &error),
              CH_NOT_ELF);
}

// A program may ignore the end of its children, or wait for all of them.
TEST(NamespaceProbe, NeedsNotToSeeItsChildEnd) {
    signal(SIGCHLD, SIG_DFL);  // plain_namespaces_left() waits for its child
    const size_t limit = plain_namespaces_left();
    signal(SIGCHLD, SIG_IGN);
    EXPECT_EQ(probe().left, limit);
    signal(SIGCHLD, SIG_DFL);
    std::atomic<bool> done{false};
    std::thread reaper([&] {
        while (!done) waitpid(-1, nullptr, 0);
    });
    EXPECT_EQ(probe().left, limit);
    done = true;
    reaper.join();
}

// Locks that other threads hold at the fork must not matter: the loader's, the heap's.
TEST(NamespaceProbe, WorksWhileOtherThreadsLoadAndAllocate) {
    const size_t limit = plain_namespaces_left();
    std::atomic<bool> done{false};
    std::vector<std::thread> busy;
    for (int i = 0; i < 3; ++i) {
        busy.emplace_back([&] {
            const std::string path = library_path("counter");
            while (!done) {
                if (void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) dlclose(handle);
                delete new std::string(1000, 'x');
            }
        });
    }
    for (int i = 0; i < 30; ++i) EXPECT_EQ(probe().left, limit);
    done = true;
    for (auto& thread : busy) thread.join();
}

TEST(NamespaceProbe, LeavesNothingBehind) {
    const size_t limit = plain_namespaces_left();
    const auto files = [] {
        size_t count = 0;
        for (int i = 0; i < 100; ++i) count += fcntl(i, F_GETFD) >= 0;
        return count;
    };
    const size_t before = files();
    const size_t maps = tests::mappings_of("");
    for (int i = 0; i < 20; ++i) EXPECT_EQ(probe().left, limit);
    EXPECT_EQ(files(), before);
    EXPECT_EQ(count_namespaces(), 0u);
    EXPECT_LE(tests::mappings_of(""), maps + 2);
}

#endif

}  // namespace chiphost::isolate

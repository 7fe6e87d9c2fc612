// SPDX-License-Identifier: Apache-2.0
//
// The capacities of docs/internals/namespaces.md, row by row (C4 is in tests/python/isolate/test_capacity.py). A child
// process without chiphost measures what the loader allows, and chiphost must say the same. A number that differs from
// the measured one is no failure, but the test says so and counts as skipped. Every test runs in a process of its own.
#include <dirent.h>
#include <dlfcn.h>

#include <fstream>
#include <memory>
#include <vector>

#include "chiphost/isolate/library.h"
#include "guest.h"
#include "isolate/domain/library_pool.h"
#include "isolate/domain/namespace_budget.h"
#include "isolate/domain/namespace_pool.h"
#include "isolate/domain/namespace_probe.h"
#include "plain_dlmopen.h"
#include "pool_library.h"
#include "raw_outcome.h"
#include "start_with_tunables.h"

namespace chiphost::isolate {

using tests::library_path;
using tests::mappings_of;
using tests::plain_namespaces;
using tests::raw_outcome;
using tests::start_with;
using tests::text_of;

namespace {

size_t pss_kb() {
    std::ifstream file("/proc/self/smaps_rollup");
    for (std::string word; file >> word;) {
        size_t kb = 0;
        if (word == "Pss:" && file >> kb) return kb;
    }
    ADD_FAILURE() << "no Pss in /proc/self/smaps_rollup";
    return 0;
}

size_t open_files() {
    size_t count = 0;
    DIR* folder = opendir("/proc/self/fd");
    while (readdir(folder)) ++count;
    closedir(folder);
    return count;
}

}  // namespace

TEST(Facts, C8_CopiesLiveAtOnceWithoutALimit) {
    constexpr size_t copies = 300;
    constexpr size_t kb_each_max = 256;  // measured: 23
    LibraryPool pool(nullptr);
    const tests::Binary counter("counter");
    pool.close(open_copy(pool, counter));
    const size_t files = open_files();
    const size_t kb_before = pss_kb();
    std::vector<ch_library*> libraries;
    for (size_t i = 0; i < copies; ++i) {
        libraries.push_back(open_copy(pool, counter));
        for (size_t call = 0; call < i % 3; ++call) count_call(libraries[i]);
    }
    for (size_t i = 0; i < copies; ++i) EXPECT_EQ(count_call(libraries[i]), static_cast<int32_t>(i % 3) + 1);
#if !CHIPHOST_SANITIZED  // a sanitizer has memory of its own for every library
    EXPECT_LT((pss_kb() - kb_before) / copies, kb_each_max);
#else
    static_cast<void>(kb_before);
    static_cast<void>(kb_each_max);
#endif
    EXPECT_EQ(open_files(), files);
    for (ch_library* library : libraries) EXPECT_TRUE(pool.close(library));

    // They leave nothing behind.
    for (int i = 0; i < 1000; ++i) {
        ch_library* library = open_copy(pool, counter);
        ASSERT_EQ(count_call(library), 1) << "cycle " << i;
        ASSERT_TRUE(pool.close(library));
    }
    EXPECT_EQ(open_files(), files);
    EXPECT_EQ(mappings_of("counter"), 0u);
}

#if !CHIPHOST_SANITIZED  // H10

namespace {

// chiphost's words and deeds must agree with the loader, whatever the loader does.
void expect_true_report(const std::string& library, const std::string& raw) {
    const size_t opened_raw = std::stoul(raw);
    NamespaceProbe probe;
    ch_error error = no_error();
    ASSERT_EQ(probe_namespaces(CHIPHOST_ANCHOR, library, &probe, &error), CH_OK) << text_of(error);
    EXPECT_EQ(probe.left, opened_raw) << probe.words;
    EXPECT_EQ(probe.limit == NamespaceLimit::static_tls, raw.find("static TLS") != std::string::npos) << probe.words;
    EXPECT_EQ(count_namespaces().value_or(0), 0u) << "the probe has opened one here";
    const size_t opened = open_all(library, &error);
    EXPECT_EQ(opened, opened_raw) << text_of(error);
    if (library.empty()) {
        EXPECT_EQ(error.code, CH_NAMESPACES_SPENT);
        const std::string text = text_of(error);
        EXPECT_NE(text.find(std::to_string(opened) + " linker namespaces are open"), std::string::npos) << text;
        EXPECT_NE(text.find("found by trying"), std::string::npos) << "glibc refused before chiphost did: " << text;
        EXPECT_NE(text.find(opened == namespaces_max ? "This is the most that glibc allows" : "GLIBC_TUNABLES="),
                  std::string::npos)
            << text;
        EXPECT_EQ(NamespaceBudget::of_this_process().numbers().limit, opened);
        EXPECT_EQ(count_namespaces().value_or(opened), opened);
    }
    ASSERT_EQ(probe_namespaces(CHIPHOST_ANCHOR, library, &probe, &error), CH_OK) << text_of(error);
    EXPECT_EQ(probe.left, 0u);
}

}  // namespace

TEST(Facts, C1_APlainProcessOpensEleven) {
    ASSERT_NO_FATAL_FAILURE(start_with(""));
    const std::string found = plain_namespaces("");
    ASSERT_NO_FATAL_FAILURE(expect_true_report("", found));
    SKIP_UNLESS_AS_MEASURED("C1", "11, then static TLS", found);
}

TEST(Facts, C1a_OnAarch64ItOpensNine) {
#ifdef __aarch64__
    ASSERT_NO_FATAL_FAILURE(start_with(""));
    const std::string found = plain_namespaces("");
    ASSERT_NO_FATAL_FAILURE(expect_true_report("", found));
    SKIP_UNLESS_AS_MEASURED("C1a", "9, then static TLS", found);
#else
    GTEST_SKIP() << "row C1a is about aarch64, which this processor is not: not measured here";
#endif
}

TEST(Facts, C2_WithTheTunableItOpensFifteen) {
    ASSERT_NO_FATAL_FAILURE(start_with("glibc.rtld.nns=16"));
    const std::string found = plain_namespaces("");
    ASSERT_NO_FATAL_FAILURE(expect_true_report("", found));
    SKIP_UNLESS_AS_MEASURED("C2", "15, then no more namespaces", found);
}

TEST(Facts, C3_WithOpenMpItOpensFive) {
    ASSERT_NO_FATAL_FAILURE(start_with(""));
    const std::string found = plain_namespaces(library_path("openmp"));
    ASSERT_NO_FATAL_FAILURE(expect_true_report(library_path("openmp"), found));
    SKIP_UNLESS_AS_MEASURED("C3", "5, then static TLS", found);
}

TEST(Facts, C3_WithOpenMpAndTunablesItOpensFifteen) {
    ASSERT_NO_FATAL_FAILURE(start_with("glibc.rtld.nns=16:glibc.rtld.optional_static_tls=8192"));
    const std::string found = plain_namespaces(library_path("openmp"));
    ASSERT_NO_FATAL_FAILURE(expect_true_report(library_path("openmp"), found));
    SKIP_UNLESS_AS_MEASURED("C3, with tunables", "15, then no more namespaces", found);
}

TEST(Facts, C5_AClosedNamespaceStaysSpent) {
    const std::string open = plain_namespaces("");
    const std::string closed = plain_namespaces("", true);
    // libstdc++ is pinned in there (H1). If a namespace has a C library only, glibc takes its static TLS back if it was
    // given out last.
    const std::string closed_c_only = plain_namespaces("", true, library_path("inspector"));

    // chiphost closes no namespace, but gives it to the next library.
    for (int cycle = 0; cycle < 100; ++cycle) {
        Options options;
        options.strategy = Strategy::link_namespace;
        const CloseResult result = Library::open(library_path("counter"), options).close();
        ASSERT_TRUE(result.namespace_recycled) << "cycle " << cycle << ": " << result.text();
    }
    EXPECT_EQ(NamespaceBudget::of_this_process().numbers().opened, 1u);
    EXPECT_EQ(NamespacePool::of_this_process().spare(), 1u);

    // It also knows of those that other code has closed: they are gone, but their static TLS is taken.
    std::vector<void*> handles;
    for (int i = 0; i < 3; ++i) {
        handles.push_back(dlmopen(LM_ID_NEWLM, library_path("inspector").c_str(), RTLD_NOW | RTLD_LOCAL));
        ASSERT_NE(handles.back(), nullptr) << dlerror();
    }
    dlclose(handles[0]);
    dlclose(handles[1]);  // the third stays, and its static TLS lies behind theirs
    EXPECT_EQ(count_namespaces().value_or(2), 2u) << "chiphost's and the third";
    ch_error error = no_error();
    NamespaceProbe probe;
    ASSERT_EQ(probe_namespaces(CHIPHOST_ANCHOR, "", &probe, &error), CH_OK) << text_of(error);
    EXPECT_EQ(open_all("", &error), probe.left);
    EXPECT_EQ(error.code, CH_NAMESPACES_SPENT) << text_of(error);
    SKIP_UNLESS_AS_MEASURED("C5", open, closed);
    EXPECT_EQ(probe.left, std::stoul(open) - 4);
    SKIP_UNLESS_AS_MEASURED("C5, with libc only", "100, then something else", closed_c_only);
}

TEST(Facts, C6_ANamespaceCostsLittleMemory) {
    constexpr size_t namespaces = 8;
    constexpr size_t kb_each_max = 1024;  // measured: 180; here with two threads and their stacks' first pages
    Guest first(Strategy::link_namespace, "counter");  // the first also pays for what all share
    const size_t before = pss_kb();
    std::vector<std::unique_ptr<Guest>> guests;
    for (size_t i = 0; i < namespaces; ++i) {
        guests.push_back(std::make_unique<Guest>(Strategy::link_namespace, "counter"));
        ASSERT_EQ(guests.back()->call("count_call"), 1);
    }
    const size_t each = (pss_kb() - before) / namespaces;
    RecordProperty("kb_each", static_cast<int>(each));
    EXPECT_LT(each, kb_each_max);
    EXPECT_GT(each, 0u) << "a libc and a libstdc++ of its own must show";
}

TEST(Facts, C7_LibrariesComeAndGoInOneNamespace) {
    constexpr int cycles = 300;
    const std::string found = raw_outcome([]() -> std::string {
        void* first = dlmopen(LM_ID_NEWLM, library_path("inspector").c_str(), RTLD_NOW | RTLD_LOCAL);
        Lmid_t list = LM_ID_BASE;
        if (!first || dlinfo(first, RTLD_DI_LMID, &list) != 0) return "no namespace";
        for (int cycle = 0; cycle < cycles; ++cycle) {
            void* handle = dlmopen(list, library_path("counter").c_str(), RTLD_NOW | RTLD_LOCAL);
            auto* call = handle ? reinterpret_cast<ch_call>(dlsym(handle, "count_call")) : nullptr;
            if (!call || call(nullptr, nullptr, nullptr) != 1) return "not fresh in cycle " + std::to_string(cycle);
            dlclose(handle);
            if (mappings_of("counter.so") != 0) return "not unloaded in cycle " + std::to_string(cycle);
        }
        return "fresh each time";
    });

    Guest guest(Strategy::link_namespace, "inspector");
    Domain& domain = guest.domain();
    for (int cycle = 0; cycle < cycles; ++cycle) {
        ch_library* library = nullptr;
        ch_error error = no_error();
        ASSERT_EQ(domain.open_library(library_path("counter"), &library, &error), CH_OK) << text_of(error);
        void* address = nullptr;
        ASSERT_EQ(domain.find_symbol(library, "count_call", "counter", &address, &error), CH_OK);
        ASSERT_EQ(ch_mailbox_call(guest.thread(), reinterpret_cast<ch_call>(address), nullptr, nullptr, nullptr), 1);
        ASSERT_TRUE(domain.close_library(library)) << "cycle " << cycle;
    }
    EXPECT_EQ(mappings_of("counter.so"), 0u);
    SKIP_UNLESS_AS_MEASURED("C7", "fresh each time", found);
}

#endif

}  // namespace chiphost::isolate

// SPDX-License-Identifier: Apache-2.0
//
// Domains, and the rows of facts/isolation.md that they rely on. Every test runs in a process of its own.
#include "isolate/domain.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "isolate/namespace_budget.h"
#include "test_files.h"

namespace chiphost::isolate {

using tests::library_path;
using tests::text_of;

namespace {

// A library in a domain and a thread of the domain to call it on.
class Guest {
public:
    Guest(Strategy strategy, const std::string& name) { open(strategy, name); }
    Guest(Domain* domain, const std::string& name) : domain_(domain) { load(name); }

    int32_t call(const char* symbol, const void* second = nullptr, void* third = nullptr) {
        void* address = nullptr;
        ch_error error = no_error();
        if (domain_->find_symbol(library_, symbol, "guest", &address, &error) != CH_OK) return -1000;
        return ch_mailbox_call(thread_, reinterpret_cast<ch_call>(address), nullptr, second, third);
    }

    Domain& domain() { return *domain_; }
    ch_library* library() { return library_; }
    ch_mailbox* thread() { return thread_; }

private:
    void open(Strategy strategy, const std::string& name) {
        ch_error error = no_error();
        ASSERT_EQ(Domain::open(strategy, CHIPHOST_ANCHOR, &domain_, &error), CH_OK) << text_of(error);
        load(name);
    }
    void load(const std::string& name) {
        ch_error error = no_error();
        ASSERT_EQ(domain_->open_library(library_path(name), &library_, &error), CH_OK) << text_of(error);
        ASSERT_EQ(domain_->lease_thread(&thread_, &error), CH_OK) << text_of(error);
    }

    Domain* domain_ = nullptr;
    ch_library* library_ = nullptr;
    ch_mailbox* thread_ = nullptr;
};

}  // namespace

TEST(CopyDomain, KeepsStaticsApart) {
    Guest first(Strategy::copy, "counter"), second(Strategy::copy, "counter");
    EXPECT_EQ(first.call("count_call"), 1);
    EXPECT_EQ(first.call("count_call"), 2);
    EXPECT_EQ(second.call("count_call"), 1);
    EXPECT_EQ(&first.domain(), &second.domain());
}

TEST(CopyDomain, CallsOnItsOwnThreads) {
    Guest guest(Strategy::copy, "inspector");
    EXPECT_EQ(guest.call("thread_id"), guest.thread()->system_id);
    EXPECT_NE(guest.call("thread_id"), static_cast<int32_t>(syscall(SYS_gettid)));
}

TEST(CopyDomain, LendsAThreadThatWasGivenBack) {
    Guest guest(Strategy::copy, "counter");
    ch_mailbox* thread = guest.thread();
    guest.domain().return_thread(thread);
    ch_mailbox* again = nullptr;
    ch_error error = no_error();
    ASSERT_EQ(guest.domain().lease_thread(&again, &error), CH_OK);
    EXPECT_EQ(again, thread);
    EXPECT_EQ(guest.domain().counts().threads, 2u);  // and the keeper
}

TEST(CopyDomain, SaysWhatASymbolIsMissingFrom) {
    Guest guest(Strategy::copy, "counter");
    void* address = nullptr;
    ch_error error = no_error();
    EXPECT_EQ(guest.domain().find_symbol(guest.library(), "no_such_function", "counter.so", &address, &error),
              CH_ENTRY_MISSING);
    EXPECT_EQ(text_of(error), "ENTRY_MISSING: counter.so: wanted the function no_such_function");
}

#if !CHIPHOST_SANITIZED  // H10: a library with a sanitizer does not load into a namespace

namespace {

// Opens namespaces until that fails; how many could be opened.
size_t open_all(ch_error* out_error) {
    for (size_t opened = 0;; ++opened) {
        Domain* domain = nullptr;
        if (Domain::open(Strategy::link_namespace, CHIPHOST_ANCHOR, &domain, out_error) != CH_OK) return opened;
    }
}

}  // namespace

TEST(Namespace, KeepsStaticsApart) {
    Guest first(Strategy::link_namespace, "counter"), second(Strategy::link_namespace, "counter");
    EXPECT_EQ(first.call("count_call"), 1);
    EXPECT_EQ(first.call("count_call"), 2);
    EXPECT_EQ(second.call("count_call"), 1);
    EXPECT_NE(&first.domain(), &second.domain());
}

// H7: libc, its heap, errno and environment are apart.
TEST(Namespace, HasALibcOfItsOwn) {
    Guest guest(Strategy::link_namespace, "inspector");
    void* theirs = nullptr;
    guest.call("address_of_malloc", nullptr, &theirs);
    EXPECT_NE(theirs, dlsym(RTLD_DEFAULT, "malloc"));
    setenv("CHIPHOST_SET_LATER", "1", 1);
    EXPECT_EQ(guest.call("has_variable", "CHIPHOST_SET_LATER"), 0);
    EXPECT_EQ(guest.call("has_variable", "PATH"), 1);
    errno = 0;
    guest.call("set_errno");
    EXPECT_EQ(errno, 0);
}

// H5, the hazard: keys are numbered for each libc, their values kept for each thread. On one thread, two libcs read
// each other's values. This is why a domain's code runs on its own threads only.
// The loader's locks are taken by the program's C library, which does without atomic operations until it knows of a
// thread: those of namespaces it does not know.
#if __has_include(<sys/single_threaded.h>)
TEST(Namespace, MakesTheProgramLockTheLoaderForThreads) {
    const Guest guest(Strategy::link_namespace, "counter");
    EXPECT_EQ(__libc_single_threaded, 0);
}
#endif

TEST(Namespace, SharesKeySlotsOnAForeignThread) {
    const pid_t child = fork();  // the child's memory is spoilt by this
    if (child == 0) {
        pthread_key_t ours = 0;
        if (pthread_key_create(&ours, nullptr) != 0) _exit(1);
        void* handle = dlmopen(LM_ID_NEWLM, library_path("inspector").c_str(), RTLD_NOW | RTLD_LOCAL);
        auto* make_key = reinterpret_cast<ch_call>(dlsym(handle, "make_key"));
        int32_t theirs = -1;
        while (theirs < static_cast<int32_t>(ours))
            theirs = make_key(nullptr, nullptr, nullptr);  // on this thread: wrong
        _exit(pthread_getspecific(ours) != nullptr ? 17 : 18);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << status;
    EXPECT_EQ(WEXITSTATUS(status), 17) << "18: glibc has separated the slots, the hazard is gone";
}

// H5, avoided.
TEST(Namespace, DoesNotTouchTheKeysOfThisThread) {
    pthread_key_t ours = 0;
    ASSERT_EQ(pthread_key_create(&ours, nullptr), 0);
    Guest guest(Strategy::link_namespace, "inspector");
    int32_t theirs = -1;
    while (theirs < static_cast<int32_t>(ours)) theirs = guest.call("make_key");
    EXPECT_EQ(theirs, static_cast<int32_t>(ours));
    EXPECT_EQ(pthread_getspecific(ours), nullptr);
    EXPECT_NE(guest.call("thread_id"), static_cast<int32_t>(syscall(SYS_gettid)));
}

// H6: an exception that leaves a library is caught by the anchor, inside the namespace.
TEST(Namespace, SurvivesAnEscapingException) {
    Guest guest(Strategy::link_namespace, "thrower");
    EXPECT_EQ(guest.call("throw_out"), CH_ANCHOR_CALL_THREW);
    EXPECT_EQ(guest.call("throw_out"), CH_ANCHOR_CALL_THREW);
}

// H11: what code of a namespace opens stays there.
TEST(Namespace, KeepsWhatItsCodeOpens) {
    Guest guest(Strategy::link_namespace, "inspector");
    Lmid_t list = -1;
    ASSERT_EQ(guest.call("open_inside", library_path("counter").c_str(), &list), 0);
    EXPECT_NE(list, LM_ID_BASE);
    EXPECT_EQ(dlopen(library_path("counter").c_str(), RTLD_NOW | RTLD_NOLOAD), nullptr);
}

// H9: RTLD_DEFAULT inside a namespace finds the first object and its dependencies, not what was loaded later.
TEST(Namespace, FindsOnlyTheAnchorByDefault) {
    Guest guest(Strategy::link_namespace, "inspector");
    EXPECT_EQ(guest.call("finds_default", "chiphost_anchor"), 1);
    Guest other(&guest.domain(), "counter");
    EXPECT_EQ(guest.call("finds_default", "count_call"), 0) << "RTLD_DEFAULT has learned to find later objects";
}

// C7: libraries come and go in one namespace, statics fresh each time.
TEST(Namespace, LoadsAndUnloadsInOneNamespace) {
    Guest guest(Strategy::link_namespace, "inspector");
    Domain& domain = guest.domain();
    for (int cycle = 0; cycle < 300; ++cycle) {
        ch_library* library = nullptr;
        ch_error error = no_error();
        ASSERT_EQ(domain.open_library(library_path("counter"), &library, &error), CH_OK) << text_of(error);
        void* address = nullptr;
        ASSERT_EQ(domain.find_symbol(library, "count_call", "counter", &address, &error), CH_OK);
        ASSERT_EQ(ch_mailbox_call(guest.thread(), reinterpret_cast<ch_call>(address), nullptr, nullptr, nullptr), 1);
        ASSERT_TRUE(domain.close_library(library)) << "cycle " << cycle;
    }
}

// C1, C5: the process can open so many, and chiphost says so before glibc does.
TEST(Namespace, RunsOutWithAnErrorOfOurs) {
    ch_error error = no_error();
    const size_t opened = open_all(&error);
    const auto numbers = NamespaceBudget::of_this_process().numbers();
    EXPECT_EQ(opened, numbers.limit);
    EXPECT_EQ(error.code, CH_NAMESPACES_SPENT);
    const std::string text = text_of(error);
    EXPECT_NE(text.find(std::to_string(opened) + " linker namespaces are open"), std::string::npos) << text;
    EXPECT_NE(text.find("GLIBC_TUNABLES=glibc.rtld.nns=16"), std::string::npos) << text;
    EXPECT_NE(text.find("found by trying"), std::string::npos) << "glibc refused before chiphost's probe did: " << text;
}

// The count must not give away a namespace either: one more than it allows must really fail.
TEST(Namespace, CountsAsManyAsGlibcAllows) {
    size_t opened = 0;
    while (dlmopen(LM_ID_NEWLM, CHIPHOST_ANCHOR, RTLD_NOW | RTLD_LOCAL)) ++opened;
    EXPECT_EQ(opened, NamespaceBudget::of_this_process().numbers().limit) << dlerror();
}

// C2: the tunable raises the limit to 15. It is read at the start of a process, so this test starts itself again.
TEST(Namespace, HasFifteenWithTheTunable) {
    if (const char* set = getenv("GLIBC_TUNABLES"); !set || !strstr(set, "nns=16")) {
        setenv("GLIBC_TUNABLES", "glibc.rtld.nns=16", 1);
        execl("/proc/self/exe", "domain_test", "--gtest_filter=Namespace.HasFifteenWithTheTunable", nullptr);
        FAIL() << "cannot start again";
    }
    ch_error error = no_error();
    EXPECT_EQ(open_all(&error), 15u);
    EXPECT_NE(text_of(error).find("This is the most that glibc allows"), std::string::npos) << text_of(error);
}

// A failed open must not cost a namespace.
TEST(Namespace, IsNotSpentByAMissingAnchor) {
    Domain* domain = nullptr;
    ch_error error = no_error();
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(Domain::open(Strategy::link_namespace, "/nowhere/anchor.so", &domain, &error), CH_FILE_UNREADABLE);
    }
    EXPECT_EQ(NamespaceBudget::of_this_process().numbers().opened, 0u);
    Guest guest(Strategy::link_namespace, "counter");
    EXPECT_EQ(guest.call("count_call"), 1);
}

// The process ends in order although threads of namespaces are parked.
TEST(Namespace, LetsTheProcessExit) {
    const pid_t child = fork();
    if (child == 0) {
        Guest guest(Strategy::link_namespace, "counter");
        exit(guest.call("count_call") == 1 ? 17 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 17) << status;
}

#else

// H10: this is why sanitizer builds use copies. Should it ever work, namespaces can be tested with sanitizers.
TEST(Namespace, DoesNotLoadSanitizedLibraries) {
    const pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        _exit(dlmopen(LM_ID_NEWLM, library_path("counter").c_str(), RTLD_NOW | RTLD_LOCAL) ? 42 : 17);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

#endif

}  // namespace chiphost::isolate

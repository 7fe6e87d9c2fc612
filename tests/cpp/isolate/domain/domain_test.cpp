// SPDX-License-Identifier: Apache-2.0
//
// Domains. isolation_facts_test.cpp and isolation_capacity_test.cpp test what they keep away from their users. Every
// test runs in a process of its own.
#include "isolate/domain/domain.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "guest.h"
#include "isolate/domain/namespace_budget.h"
#include "raw_outcome.h"

namespace chiphost::isolate {

using tests::raw_outcome;
using tests::text_of;

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

// A signal for the process is for the program's own threads: its handler must not run on a thread of a domain.
static void keep_signals_of_the_process_away(Strategy strategy) {
    Guest guest(strategy, "counter");
    EXPECT_EQ(guest.call("count_call"), 1);
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGUSR1, SIGTERM, SIGINT, SIGALRM}) sigaddset(&signals, number);
    ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &signals, nullptr), 0);
    for (const int number : {SIGUSR1, SIGTERM, SIGINT, SIGALRM}) {
        ASSERT_EQ(kill(getpid(), number), 0);  // deadly for the process if it is not blocked
        const timespec patience{30, 0};
        EXPECT_EQ(sigtimedwait(&signals, nullptr, &patience), number);
    }
    EXPECT_EQ(guest.call("count_call"), 2);
}

TEST(CopyDomain, KeepsSignalsOfTheProcessAway) {
    keep_signals_of_the_process_away(Strategy::copy);
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

TEST(Namespace, KeepsSignalsOfTheProcessAway) {
    keep_signals_of_the_process_away(Strategy::link_namespace);
}

// A library's threads are told from a domain's own by their names. A thread names itself while its maker goes on, so
// this is tried with many threads.
TEST(Namespace, HasThreadsOfChiphostsName) {
    for (int i = 0; i < 30; ++i) {
        const std::string found = raw_outcome([] {
            ch_error error = no_error();
            for (;;) {
                Domain* domain = nullptr;
                if (Domain::open(Strategy::link_namespace, CHIPHOST_ANCHOR, &domain, &error) != CH_OK) break;
                static_cast<void>(domain->counts());  // answered by the keeper, which has begun then
            }
            std::set<std::string> names;
            for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
                if (thread.path().filename() == std::to_string(getpid())) continue;  // the program's first
                std::ifstream file(thread.path() / "comm");
                std::string name;
                std::getline(file, name);
                names.insert(name.substr(0, name.find('-')));
            }
            std::string all;
            for (const std::string& name : names) all += name + " ";
            return all;
        });
        ASSERT_EQ(found, "chiphost ") << "in try " << i;
    }
}

TEST(Namespace, KeepsStaticsApart) {
    Guest first(Strategy::link_namespace, "counter"), second(Strategy::link_namespace, "counter");
    EXPECT_EQ(first.call("count_call"), 1);
    EXPECT_EQ(first.call("count_call"), 2);
    EXPECT_EQ(second.call("count_call"), 1);
    EXPECT_NE(&first.domain(), &second.domain());
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

#endif

}  // namespace chiphost::isolate
